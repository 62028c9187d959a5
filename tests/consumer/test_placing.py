"""Placing: a key keeps its version, and a request without a key has coordinates."""

from typing import Any

import numpy as np
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest
from penstock.consumer.placing import place
from penstock.consumer.progress import PartitionProgress
from penstock.core.batch import Batch
from penstock.core.callable_model import CallableModel
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.model import Signature, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.core.routing import Split
from penstock.schemas.envelope import BARE

SIGNATURE = Signature((TensorSpec("x", "FP32", ()),), (TensorSpec("y", "FP32", ()),))
SPLIT = Split(("1", "2"), (1.0, 1.0))


def table(split: Split | None = SPLIT) -> ModelTable:
    models = ModelTable()
    for version in ("1", "2"):
        models.add(CallableModel("m", version, dict, SIGNATURE))
    if split is not None:
        models.divide("m", split)
    return models


def batch_of(keys: list[bytes | None], version: str | None = None, *, single: bool = False) -> Batch[PendingRequest]:
    progress = PartitionProgress(TopicPartition("requests", 3), 0)
    records: list[Any] = [
        ConsumerRecord("requests", 3, at, 0, 0, key, b"v", None, -1, 1, ()) for at, key in enumerate(keys)
    ]
    requests: Any = RequestBlock(progress, BARE, ("replies", 3), records, keys, weight=0)
    key = BatchKey("m", version)
    inputs = {"x": np.arange(len(keys), dtype=np.float32)}
    chunk = Chunk(key, list(requests) if single else requests, inputs, len(keys), 0.0, uniform=True)
    return Batch(key, [chunk], len(keys))


def test_requests_go_by_their_keys() -> None:
    keys: list[bytes | None] = [b"key-%d" % (number % 50) for number in range(500)]
    for single in (False, True):
        parts = place(batch_of(keys, single=single), table())
        assert sorted(part.version or "" for part in parts) == ["1", "2"]
        for part in parts:
            own = [request.record.key or b"" for request in part.requests]
            assert {SPLIT.versions[at] for at in SPLIT.choose(own)} == {part.version}
            rows = np.concatenate([chunk.inputs["x"] for chunk in part.chunks])
            assert rows.tolist() == [request.record.offset for request in part.requests]


def test_without_a_key_the_coordinates_decide() -> None:
    parts = place(batch_of([None] * 200), table())
    assert len(parts) == 2
    assert place(batch_of([None] * 200), table())[0].requests[0].record.offset == parts[0].requests[0].record.offset
    (same,) = place(batch_of([b"one key"] * 200), table())
    assert same.version in SPLIT.versions


def test_what_is_pinned_or_has_no_choice_stays_whole() -> None:
    keys: list[bytes | None] = [b"%d" % number for number in range(50)]
    pinned, alone = batch_of(keys, version="1"), batch_of(keys)
    assert place(pinned, table()) == [pinned]
    assert place(alone, table(None)) == [alone]
    assert (pinned.version, alone.version) == (None, None)
