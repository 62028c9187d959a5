"""The hot path stays hot: what a request costs is counted, not timed.

Between fetch and acknowledgement a plain request must not cost more calls, more new objects or more memory than the
bounds below. They are what the path takes now. Whoever needs more has to raise them here, and to say why.
"""

import dis
import gc
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition

from penstock.consumer import intake as intake_module
from penstock.consumer import reply_builder as reply_builder_module
from penstock.consumer.block import RequestBlock
from penstock.consumer.intake import Intake
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.consumer.routes import ReplyRouter
from penstock.consumer.spans import steps
from penstock.core.batcher import BatchPolicy, MicroBatcher
from penstock.core.callable_model import CallableModel
from penstock.core.decoding.decoder import STEP
from penstock.core.engine import InferenceEngine, _run
from penstock.core.model import Signature, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.schemas.limits import Limits
from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_encoding import SingleRecords
from penstock.transport.topics import TopicDirectory

NUMBERS = [0.5 + at for at in range(30)]
JSON = b'{"id":"r-%d","inputs":[{"name":"x","shape":[1,30],"datatype":"FP32","data":' + orjson.dumps(NUMBERS) + b"}]}"
SIGNATURE = Signature(
    (TensorSpec("x", "FP32", (30,)),), (TensorSpec("label", "INT64", ()), TensorSpec("scores", "FP32", (2,)))
)
ALLOCATING = ("BUILD_", "BINARY_OP", "BINARY_SLICE", "FORMAT_", "MAKE_FUNCTION")


NAMING = JSON[:-1] + b',"outputs":[{"name":"scores"}]}'


class KnownTopics(TopicDirectory):
    """A directory that never asks Kafka."""

    def partitions(self, topic: str) -> int:
        return 8


class Path:
    """A worker's way from fetched records to finished offsets, without Kafka and without an event loop."""

    def __init__(self) -> None:
        table = ModelTable("m")
        table.add(CallableModel("m", "1", _predict, SIGNATURE))
        self.progress = PartitionProgress(TopicPartition("requests", 5), 0)
        self.intake = Intake(table, ReplyRouter(KnownTopics({}), "replies", bool), Limits())
        self.batcher: MicroBatcher[Any] = MicroBatcher(BatchPolicy(max_rows=512))
        self.engine = InferenceEngine(table)
        self.builder = ReplyBuilder(100_000)
        self.sent: list[bytes] = []

    def take_in(self, data: bytes) -> None:
        """Take a fetch in."""
        spans = self.intake.read(self.progress, self.progress.admit(list(DefaultRecordBatch(data))))
        for step in steps(spans, STEP):
            chunks, unanswerable = self.intake.take(step)
            assert not unanswerable
            self.batcher.add(chunks)

    def answer(self) -> None:
        """Answer and finish what was taken in."""
        while (batch := self.batcher.take(time.monotonic())) is not None:
            for _, parcel in self.builder.build(batch, _run(self.engine._job(batch))):
                records = RecordBatch(10_000_000)
                assert records.extend(parcel.records, 1) == len(parcel.records)
                self.sent.append(records._build())
                assert isinstance(parcel.tokens, RequestBlock)
                parcel.tokens.finish()


def _predict(inputs: Any) -> Any:
    rows = len(inputs["x"])
    return {"label": np.ones(rows, np.int64), "scores": np.full((rows, 2), 0.25, np.float32)}


def bare(count: int, first: int) -> bytes:
    return fetch(first, [(b"k%d" % at, JSON % at, []) for at in range(count)])


def from_our_client(count: int, first: int) -> bytes:
    address = [("penstock-timeout-ms", b"30000"), ("penstock-reply-topic", b"mine"), ("penstock-model", b"m")]
    return fetch(first, [(b"k%d" % at, JSON % at, [("penstock-id", b"%d" % at), *address]) for at in range(count)])


def naming_outputs(count: int, first: int) -> bytes:
    return fetch(first, [(b"k%d" % at, NAMING % at, []) for at in range(count)])


def raw(count: int, first: int) -> bytes:
    value = np.array(NUMBERS, "<f4").tobytes()
    return fetch(first, [(b"k%d" % at, value, [("content-type", b"application/octet-stream")]) for at in range(count)])


def fetch(first: int, records: Sequence[Any]) -> bytes:
    """The bytes of a fetch that begins at an offset."""
    batch = RecordBatch(10_000_000)
    assert batch.extend(SingleRecords(records), int(time.time() * 1000)) == len(records)
    return first.to_bytes(8, "big") + batch._build()[8:]


class Cost(NamedTuple):
    """What one request costs.

    Attributes:
        calls: functions called, Python's and C's.
        made: instructions that make an object.
        kept: blocks of memory held from its intake to its answer.
    """

    calls: float
    made: float
    kept: float


def cost_of(kind: Callable[[int, int], bytes]) -> Cost:
    """Count what 256 requests more cost, by the request; what a batch costs cancels out."""
    path = Path()
    path.take_in(kind(64, 0))  # layouts, headers and caches are learned
    path.answer()
    at = 64
    found = []
    for count in (256, 512):
        calls, made = counted(path, kind(count, at))
        kept = retained(path, kind(count, at + count))
        at += 2 * count
        found.append((calls, made, kept))
    assert path.progress.next_offset == at
    return Cost(*((more - few) / 256 for few, more in zip(*found, strict=True)))


def counted(path: Path, data: bytes) -> tuple[int, int]:
    """Count calls, and instructions that make an object."""
    calls = made = 0
    codes: dict[Any, frozenset[int]] = {}

    def on_call(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    def on_instruction(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal made
        if event == "call":
            frame.f_trace_opcodes = True
        elif event == "opcode":
            code = frame.f_code
            if code not in codes:
                found = (each.offset for each in dis.get_instructions(code) if each.opname.startswith(ALLOCATING))
                codes[code] = frozenset(found)
            made += frame.f_lasti in codes[code]
        return on_instruction

    before = sys.getprofile(), sys.gettrace()
    sys.setprofile(on_call)
    sys.settrace(on_instruction)
    try:
        path.take_in(data)
        path.answer()
    finally:
        sys.setprofile(before[0])
        sys.settrace(before[1])
    return calls, made


def retained(path: Path, data: bytes) -> int:
    """Count the blocks of memory that requests hold while they wait."""
    gc.collect()
    gc.disable()
    try:
        start = sys.getallocatedblocks()
        path.take_in(data)
        blocks = sys.getallocatedblocks() - start
    finally:
        gc.enable()
    path.answer()
    return blocks


KINDS: dict[Callable[[int, int], bytes], Cost] = {
    # A plain request holds its record, the record's key, value and headers, its id, and a part of the columns.
    bare: Cost(calls=5, made=1, kept=6),
    # Its headers besides: five names and values, a correlation id to be repeated, and a deadline.
    from_our_client: Cost(calls=9, made=10, kept=19),
    naming_outputs: Cost(calls=5, made=1, kept=6),
    raw: Cost(calls=6, made=4, kept=8),
}
SLACK = 0.25  # parts of a call: some are made once for a hundred requests, or when a number grows a digit


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_costs_no_more_than_it_did(kind: Callable[[int, int], bytes]) -> None:
    found, most = cost_of(kind), KINDS[kind]
    assert [each <= bound + SLACK for each, bound in zip(found, most, strict=True)] == [True] * 3, found


# Calls of a step with a single request, those of the model in this file among them: what its latency is made of.
LONE: dict[Callable[[int, int], bytes], int] = {bare: 335, from_our_client: 350, naming_outputs: 340, raw: 290}


@pytest.mark.parametrize("kind", LONE)
def test_a_lone_request_takes_no_more_calls_than_it_did(kind: Callable[[int, int], bytes]) -> None:
    path = Path()
    for at in range(8):
        path.take_in(kind(1, at))
        path.answer()
    calls, _ = counted(path, kind(1, 8))
    assert calls <= LONE[kind], calls


KEPT: list[Any] = []
MUTATIONS: dict[str, Callable[[Any], object]] = {
    "calls": lambda records: [len(record.value) for record in records],
    "made": lambda records: [(record,) for record in records],  # gone at once
    "kept": lambda records: KEPT.extend([record] for record in records),
}


@pytest.mark.parametrize(
    ("module", "name", "what"),
    [
        (intake_module, "_block_of", "calls"),
        (intake_module, "_block_of", "made"),
        (intake_module, "_block_of", "kept"),
        (reply_builder_module, "_block_parcels", "calls"),
        (reply_builder_module, "_block_parcels", "made"),
    ],
)
def test_whoever_adds_to_the_path_is_found_out(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, what: str
) -> None:
    true, mutation = getattr(module, name), MUTATIONS[what]
    before = getattr(cost_of(bare), what)

    def mutated(*arguments: Any) -> Any:
        mutation(arguments[0].records)  # of a span, or of a block
        return true(*arguments)

    monkeypatch.setattr(module, name, mutated)
    after = getattr(cost_of(bare), what)
    KEPT.clear()
    assert after >= before + 0.9
    assert after > getattr(KINDS[bare], what) + SLACK
