"""Shadows without Kafka: real threads and real decoding; what they hand on is collected."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.control.shadow_copies import Answer, offered
from penstock.consumer.control.shadow_runner import ShadowBounds, ShadowRunner, ShadowTarget
from penstock.consumer.intake import Intake
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.consumer.routes import ReplyRouter
from penstock.core.batch import Batch
from penstock.core.callable_model import CallableModel
from penstock.core.engine import Inference
from penstock.core.metrics import Metrics
from penstock.core.model import Signature, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.schemas.limits import Limits
from penstock.transport.record_batch import RecordBatch
from penstock.transport.topics import TopicDirectory

Function = Callable[[dict[str, Any]], dict[str, Any]]
X = TensorSpec("x", "FP32", (1,))
SIGNATURE = Signature((X,), (TensorSpec("label", "INT64", ()), TensorSpec("score", "FP32", (1,))))
BOUNDS = ShadowBounds(max_rows=8, max_bytes=1 << 20, max_reply_bytes=10_000)


def labelled(inputs: dict[str, Any]) -> dict[str, Any]:
    """Whether a number is above ten, and the number."""
    return {"label": (inputs["x"][:, 0] > 10).astype(np.int64), "score": inputs["x"]}


def model(version: str, function: Function = labelled, signature: Signature = SIGNATURE, **more: Any) -> CallableModel:
    return CallableModel("m", version, function, signature, **more)


LIVE = model("1")


class KnownTopics(TopicDirectory):
    """A directory that never asks Kafka."""

    def partitions(self, topic: str) -> int:
        return 8


def json(*rows: float, **members: Any) -> bytes:
    data = {"name": "x", "shape": [len(rows), 1], "datatype": "FP32", "data": list(rows)}
    return orjson.dumps({"inputs": [data], **members})


def record(offset: int, value: bytes | None, *headers: tuple[str, bytes], key: bytes | None = None) -> ConsumerRecord:
    return ConsumerRecord("requests", 3, offset, -1, 0, key, value, None, -1, -1, headers)


def batches_of(*records: ConsumerRecord, live: CallableModel = LIVE) -> list[Batch[PendingRequest]]:
    """The batches in which a worker runs these records; each is one chunk of them."""
    table = ModelTable("m")
    table.add(live)
    intake = Intake(table, ReplyRouter(KnownTopics({}), "replies", bool), Limits())
    chunks, _ = intake.take(intake.read(PartitionProgress(TopicPartition("requests", 3), 0), records))
    return [Batch(chunk.key, [chunk], chunk.rows) for chunk in chunks]


def batch_of(*rows: float) -> Batch[PendingRequest]:
    (batch,) = batches_of(*(record(at, json(number), key=b"k%d" % at) for at, number in enumerate(rows)))
    return batch


def answered(batch: Batch[PendingRequest], live: CallableModel = LIVE) -> Inference:
    """Run a batch and make its replies, as the live path does before it offers."""
    outputs = live.run(batch.stack())
    inference = Inference(live, outputs, None, 0.0, 0.0, epoch=5)
    ReplyBuilder(10_000).build(batch, inference)
    return inference


class Collected:
    """Shadows, and what they have handed on."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.answers: list[Answer] = []
        self.on_dropped: Any = None
        self.runners: list[ShadowRunner] = []

    def start(self, shadow: CallableModel, share: float = 1.0, bounds: ShadowBounds = BOUNDS) -> ShadowRunner:
        runner = ShadowRunner(ShadowTarget(shadow, share), "shadows", bounds, self.metrics, self.take)
        self.runners.append(runner)
        return runner

    def take(self, answers: Sequence[Answer], on_dropped: Any) -> None:
        self.answers += answers
        self.on_dropped = on_dropped

    def value(self, name: str, **labels: str) -> float:
        labels = {"model": "m", "version": "2", **labels}
        return self.metrics.registry.get_sample_value(f"penstock_shadow_{name}", labels) or 0.0

    def read(self) -> list[Any]:
        """The records as a consumer of the shadow's topic reads them."""
        found: list[Any] = []
        for answer in self.answers:
            batch = RecordBatch(1_000_000)
            assert batch.extend(answer.records) == len(answer.sizes)
            assert all(size > 0 for size in answer.sizes)
            decoded = DefaultRecordBatch(batch._build())
            found += [(answer.route, each.key, each.value, dict(each.headers)) for each in decoded]
        return found


@asynccontextmanager
async def collecting() -> AsyncIterator[Collected]:
    """Collect what shadows hand on; at the end all are closed."""
    made = Collected()
    yield made
    for runner in made.runners:
        runner.end()
    await asyncio.wait_for(asyncio.gather(*(runner.closed for runner in made.runners)), 10)


def offer(runner: ShadowRunner, *batches: Batch[PendingRequest], live: CallableModel = LIVE) -> None:
    """Run batches as the live path does, and offer them."""
    for batch in batches:
        runner.offer(offered(batch, answered(batch, live)))


async def ended(runner: ShadowRunner) -> None:
    """Wait until a shadow has run what it was offered."""
    runner.drain()
    await asyncio.wait_for(runner.closed, 10)


class Gate:
    """A model's function that waits until it is let through."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.runs = 0

    def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self.runs += 1
        self.entered.set()
        assert self.open.wait(10)
        return labelled(inputs)
