"""Blocks: a column each, and the same as their requests one by one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import Route, finish
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.core.batch import Batch
from penstock.core.callable_model import CallableModel
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.engine import Inference
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.envelope import Envelope
from penstock.transport.parcels import Parcel
from penstock.transport.record_batch import RecordBatch

OUTPUTS = (TensorSpec("y", "FP32", ()), TensorSpec("z", "INT64", (2,)))
MODEL = CallableModel("iris", "2", dict, Signature((TensorSpec("x", "FP32", ()),), OUTPUTS))
REPLIES: Route = ("replies", 1)


class Counted(PartitionProgress):
    """A progress that remembers what was reported to it."""

    def __init__(self) -> None:
        super().__init__(TopicPartition("requests", 5), 0)
        self.runs: list[tuple[int, int]] = []

    def finish(self, start: int, stop: int) -> None:
        self.runs.append((start, stop))


def block_of(offsets: Sequence[int], weight: int = 0, **columns: Any) -> RequestBlock:
    keys = [None if offset % 5 == 4 else b"k%d" % offset for offset in offsets]
    pairs = zip(offsets, keys, strict=True)
    records = [ConsumerRecord("requests", 5, at, 0, 0, key, b"v", None, -1, 1, ()) for at, key in pairs]
    envelope = Envelope()
    envelope.raw = columns.pop("raw", False)
    block = RequestBlock(Counted(), envelope, REPLIES, list(records), keys, weight=weight)
    for name, column in columns.items():
        setattr(block, name, column)
    return block


def read(parcels: list[tuple[Route, Parcel]]) -> dict[Route, list[tuple[Any, ...]]]:
    """What a consumer of the reply topic reads."""
    found: dict[Route, list[tuple[Any, ...]]] = {}
    for route, parcel in parcels:
        assert len(parcel.records) == len(parcel.tokens)
        batch = RecordBatch(1_000_000)
        assert batch.extend(parcel.records) == len(parcel.tokens)
        data = batch._build()
        for record in DefaultRecordBatch(data):
            found.setdefault(route, []).append((record.key, record.value, record.headers))
    return found


def answered(requests: Any, inference: Inference, rows: int, most: int = 10_000) -> list[tuple[Route, Parcel]]:
    counts = getattr(requests, "rows", None)
    chunk = Chunk(BatchKey("iris"), requests, {}, rows, 0.0, uniform=counts is None, counts=counts)
    return ReplyBuilder(most).build(Batch(BatchKey("iris"), [chunk], rows), inference)


@st.composite
def blocks(draw: st.DrawFn) -> RequestBlock:
    offsets = sorted(draw(st.sets(st.integers(0, 200), min_size=1, max_size=12)))
    size = len(offsets)

    def each(strategy: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(strategy, min_size=size, max_size=size))

    columns: dict[str, Any] = {"raw": draw(st.booleans())}
    if draw(st.booleans()):
        columns["rows"] = each(st.integers(1, 3))
    if draw(st.booleans()):
        columns["ids"] = each(st.sampled_from([None, b'"a%d"', b'"\xc3\xbc"']))
    if draw(st.booleans()):
        asked = st.sampled_from([None, ("y",), ("z", "y"), ("y", "z")])
        columns["outputs"] = each(st.just(draw(asked))) if draw(st.booleans()) else each(asked)
    if draw(st.booleans()):
        columns["echoes"] = each(st.binary(max_size=300))
        columns["echo_name"] = "penstock-id"
    if draw(st.booleans()):
        columns["routes"] = each(st.sampled_from([("a", 0), ("a", 1), REPLIES]))
    return block_of(offsets, draw(st.integers(0, 10_000)), **columns)


@given(blocks(), st.booleans(), st.booleans(), st.sampled_from([10_000, 130]))
def test_a_block_is_answered_as_its_requests_are_one_by_one(
    block: RequestBlock, finite: bool, complete: bool, most: int
) -> None:
    rows = block.held_rows
    numbers = np.arange(rows, dtype=np.float32)
    if not finite:
        numbers[rows // 2] = np.nan
    outputs: dict[str, Any] = {"y": numbers}
    if complete:
        outputs["z"] = np.arange(2 * rows).reshape(rows, 2)
    inference = Inference(MODEL, outputs, None, 0.0, 0.0)
    one_by_one = read(answered(list(block), inference, rows, most))
    assert read(answered(block, inference, rows, most)) == one_by_one


@given(blocks())
def test_a_block_is_finished_as_its_requests_are(block: RequestBlock) -> None:
    block.finish()
    counted = block.progress
    assert isinstance(counted, Counted)
    together, counted.runs = counted.runs, []
    requests = list(block)
    rows, weight = finish(requests)
    assert together == counted.runs
    assert (rows, weight) == (block.held_rows, block.weight)


@given(blocks(), st.data())
def test_the_parts_of_a_block_make_the_whole(block: RequestBlock, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(block)))
    parts = [block[:at], block[at:]]
    assert sum(part.weight for part in parts) == block.weight
    both = [request for part in parts for request in part]
    for one, other in zip(both, block, strict=True):
        assert one.record is other.record
        assert (one.id, one.echo, one.route, one.rows) == (other.id, other.echo, other.route, other.rows)
        assert one.outputs == other.outputs


def test_the_block_that_follows_is_taken_in() -> None:
    progress = Counted()
    first, second = block_of([1, 2], 10), block_of([4], 5, deadlines=[2.0])
    first.progress = second.progress = progress
    second.route = ("other", 0)
    assert first.extend(second)
    assert [request.record.offset for request in first] == [1, 2, 4]
    assert first.routes == [REPLIES, REPLIES, ("other", 0)]
    assert first.deadlines == [None, None, 2.0]
    assert first.weight == 15


@pytest.mark.parametrize("change", [{"progress": Counted()}, {"echo_name": "id"}])
def test_a_block_of_another_kind_is_not_taken_in(change: dict[str, Any]) -> None:
    first, second = block_of([1]), block_of([2])
    second.progress = first.progress
    for name, value in change.items():
        setattr(second, name, value)
    assert not first.extend(second)
    assert len(first) == 1


def test_a_request_beyond_the_block_is_an_error() -> None:
    with pytest.raises(IndexError):
        block_of([1])[1]


def test_what_is_picked_is_the_same_as_the_requests_one_by_one() -> None:
    columns: dict[str, Any] = {"ids": [b"1", None, b"3", b"4"], "rows": [1, 2, 1, 3], "routes": [REPLIES] * 4}
    block = block_of([3, 4, 5, 9], weight=101, **columns, deadlines=[None, 2.0, None, 4.0])
    picked, rest = block.pick([1, 3]), block.pick([0, 2])
    for part, places in ((picked, [1, 3]), (rest, [0, 2])):
        for mine, whole in zip(part, [block[place] for place in places], strict=True):
            for name in ("record", "id", "rows", "route", "deadline", "held_rows", "outputs", "echo"):
                assert getattr(mine, name) == getattr(whole, name)
    assert picked.weight + rest.weight == block.weight
    assert picked.held_rows + rest.held_rows == block.held_rows
    picked.finish()
    rest.finish()
    assert isinstance(block.progress, Counted)
    assert block.progress.runs == [(4, 5), (9, 10), (3, 4), (5, 6)]
