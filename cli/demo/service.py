"""The demo's service: a broker, models that are trained while it starts, and workers; all of it gone at the end."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from penstock.broker import EmbeddedKafka
from penstock.cli.demo.guarded import DemoError
from penstock.cli.demo.held_out import HeldOut
from penstock.cli.demo.keys import make_key
from penstock.cli.demo.models import SECOND_HELD_OUT
from penstock.cli.demo.steps import Steps
from penstock.cli.demo.training import read_held_out, train
from penstock.cli.demo.workers import GROUP, REPLIES, REQUESTS, Workers, workers
from penstock.consumer.lane import REQUEST_COMPRESSION
from penstock.transport.closing import closing
from penstock.transport.control.settings import ControlSettings
from penstock.transport.control.topics import CONTROL_SETTINGS, STATUS_SETTINGS
from penstock.transport.topics import create_topics

T = TypeVar("T")

_PARTITIONS: Final = 8
_COUNT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs.

    Attributes:
        kafka: its broker.
        workers: of one consumer group.
        folder: holds `models`, settings and logs.
        held_out: what its models have not seen, by model.
        second: the same rows of `SWITCHED`, with what its second version answers.
    """

    kafka: EmbeddedKafka
    workers: Workers
    folder: Path
    held_out: Mapping[str, HeldOut]
    second: HeldOut

    @property
    def bootstrap_servers(self) -> str:
        """Where Kafka is."""
        return self.kafka.bootstrap_servers

    async def unless_ended(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that needs the service, and give it up when broker or workers end.

        Raises:
            DemoError: they did.
        """
        doing = asyncio.ensure_future(work)
        broker = asyncio.ensure_future(self.kafka.nodes[0].wait_ended())
        serving = asyncio.ensure_future(self.workers.wait_ended())
        every = (doing, broker, serving)
        try:
            await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
            if broker.done():
                raise DemoError(f"Kafka ended by itself; the end of its log:\n{self.kafka.nodes[0].log_tail(1)}")
            if serving.done():
                raise DemoError(f"the workers ended by themselves; the end of their log:\n{self.workers.last_words()}")
            return doing.result()
        finally:
            for task in every:
                task.cancel()
            await asyncio.gather(*every, return_exceptions=True)

    async def count_replies(self) -> int:
        """Return how many replies have been written to the reply topic, wanted or not."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers)
        try:
            async with closing(consumer), asyncio.timeout(_COUNT_S):
                await consumer.start()
                places = [TopicPartition(REPLIES, partition) for partition in range(_PARTITIONS)]
                return sum((await consumer.end_offsets(places)).values())
        except (KafkaError, TimeoutError, OSError) as error:
            raise DemoError(f"the replies could not be counted: {error or type(error).__name__}") from error


@asynccontextmanager
async def serving(steps: Steps, processes: int) -> AsyncIterator[Service]:
    """Start a service, step by step, and take it down at the end.

    Args:
        steps: prints the steps.
        processes: worker processes.

    Raises:
        DemoError, BrokerError: what could not be started, and why.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-demo-")))
        training = asyncio.create_task(train(folder))
        stack.push_async_callback(_give_up, training)
        with steps.step("Apache Kafka") as step:
            kafka = await stack.enter_async_context(EmbeddedKafka())
            await _make_topics({"bootstrap_servers": kafka.bootstrap_servers})
            step.result = f"{kafka.version} on {kafka.bootstrap_servers}"
        with steps.step("Models") as step:
            seconds = await training
            held_out = read_held_out(folder)
            step.result = f"{len(held_out)} trained in {seconds:.1f} s; ONNX answers as scikit-learn does"
        with steps.step("Workers") as step:
            make_key(folder)
            started = await stack.enter_async_context(workers(kafka.bootstrap_servers, folder, processes))
            service = Service(kafka, started, folder, held_out, HeldOut.read(folder, SECOND_HELD_OUT))
            await service.unless_ended(started.ready())
            step.result = f"{processes} process{'es' if processes > 1 else ''}, one consumer group"
        yield service


async def _make_topics(client_options: dict[str, Any]) -> None:
    names = ControlSettings()
    control = {names.topic_of(GROUP): CONTROL_SETTINGS, names.status_topic_of(GROUP): STATUS_SETTINGS}
    partitions = dict.fromkeys((REQUESTS, REPLIES), _PARTITIONS) | dict.fromkeys(control, 1)
    await create_topics(client_options, partitions, own_configs={REQUESTS: dict([REQUEST_COMPRESSION]), **control})


async def _give_up(task: "asyncio.Task[float]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
