"""What a request leaves behind is gone at once: the garbage collector is kept out of the way, and comes late."""

import gc
import time
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.intake import Intake
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.consumer.routes import ReplyRouter
from penstock.core.batcher import BatchPolicy, MicroBatcher
from penstock.core.callable_model import CallableModel
from penstock.core.engine import InferenceEngine, _run
from penstock.core.model import Signature, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.schemas.limits import Limits
from penstock.transport.topics import TopicDirectory

GOOD = b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1]}]}'
RAW = ("content-type", b"application/octet-stream")


class KnownTopics(TopicDirectory):
    """A directory that never asks Kafka."""

    def partitions(self, topic: str) -> int:
        return 8 if topic == "replies" else 0


class Exiting(CallableModel):
    """A model that breaks its contract: what it raises is not for the engine."""

    def run(self, inputs: Any) -> Any:
        raise SystemExit(3)


def refusing(_: Any) -> Any:
    raise ValueError


def serve(*requests: tuple[bytes | None, list[tuple[str, bytes]]]) -> int:
    """Take requests in, run them and answer them; return how many were answered."""
    signature = Signature((TensorSpec("x", "FP32", (1,)),), (TensorSpec("y", "FP32", (1,)),))
    table = ModelTable("m")
    table.add(CallableModel("m", "1", lambda inputs: {"y": inputs["x"]}, signature))
    table.add(CallableModel("refusing", "1", refusing, signature))
    table.add(Exiting("exiting", "1", refusing, signature))
    intake = Intake(table, ReplyRouter(KnownTopics({}), "replies", bool), Limits())
    progress = PartitionProgress(TopicPartition("requests", 0), 0)
    records = [
        ConsumerRecord("requests", 0, at, -1, 0, None, value, None, -1, -1, headers)
        for at, (value, headers) in enumerate(requests)
    ]
    chunks, unanswerable = intake.take(intake.read(progress, records))
    batcher: MicroBatcher[Any] = MicroBatcher(BatchPolicy())
    batcher.add(chunks)
    engine, answered = InferenceEngine(table), len(unanswerable)
    while (batch := batcher.take(time.monotonic())) is not None:
        parcels = ReplyBuilder(1000).build(batch, _run(engine._job(batch)))
        answered += sum(len(parcel.records) for _, parcel in parcels)
    return answered


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (GOOD, [("penstock-id", b"a")]),
        (None, []),
        (b"{", []),
        (b"[" * 99, []),
        (GOOD.replace(b"1]}]}", b"1e99]}]}"), []),
        (GOOD.replace(b"[1]", b"[1,2]"), []),
        (GOOD, [("penstock-timeout-ms", b"soon")]),
        (GOOD, [("penstock-timeout-ms", b"0")]),
        (GOOD, [("penstock-id", b"a"), ("correlation_id", b"b")]),
        (GOOD, [("penstock-model", b"nobody")]),
        (GOOD, [("penstock-model", b"refusing")]),
        (GOOD, [("penstock-model", b"exiting")]),
        (GOOD, [("penstock-reply-topic", b"nowhere")]),
        (GOOD, [("penstock-reply-partition", b"9")]),
        (b"12345", [RAW]),
        (b"1234", [RAW, ("penstock-output", b"z")]),
    ],
)
def test_a_request_leaves_nothing_for_the_garbage_collector(value: bytes | None, headers: Any) -> None:
    requests = [(GOOD, []), (value, headers), (GOOD, [])]
    assert serve(*requests) == 3
    while gc.collect():  # what other tests have left; what is freed may leave something to free
        pass
    gc.disable()
    try:
        serve(*requests)
        assert gc.collect() == 0
    finally:
        gc.enable()
