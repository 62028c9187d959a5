"""What every study plays on: a model, an embedded Kafka, and the folder of its figures."""

import argparse
import asyncio
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException

from benchmarks.studies.failures import StudyError
from benchmarks.studies.lane import Lane
from benchmarks.workload import MODEL, Workload
from penstock.broker import BrokerError, EmbeddedKafka
from penstock.schemas.errors import PenstockError
from penstock.transport.topics import create_topics

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = _ROOT / "docs" / "benchmarks"
_QUICK = _ROOT / "build" / "studies"
_TRAINING_S = 120.0
_INTERRUPTED = 130


@dataclass(frozen=True)
class Stage:
    """Where a study runs.

    Attributes:
        bootstrap: Kafka's addresses.
        folder: temporary; holds the model, the logs, and Kafka's data beside it.
        workload: requests for the model, and the right answers.
        stop: set when the study ends, so that threads do.
    """

    bootstrap: str
    folder: Path
    workload: Workload
    stop: threading.Event

    async def lane(self, name: str, partitions: int) -> Lane:
        """Make the topics of a lane; the broker stamps the replies when it takes them."""
        lane = Lane(name, partitions)
        stamped = {lane.replies: {"message.timestamp.type": "LogAppendTime"}}
        await create_topics(
            {"bootstrap_servers": self.bootstrap},
            {lane.requests: partitions, lane.replies: partitions},
            own_configs=stamped,
            replication_factor=1,
        )
        return lane


async def train(folder: Path) -> None:
    """Train the model into a folder, in a process of its own.

    Raises:
        StudyError: it could not be trained.
    """
    command = [sys.executable, "-m", "penstock.cli.demo.models", str(folder), MODEL]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), _TRAINING_S)
    except TimeoutError:
        raise StudyError(f"the model was not trained within {_TRAINING_S:g} s: is the machine busy?") from None
    finally:
        if process.returncode is None:  # it would write into a folder that is being removed
            process.kill()
            await process.wait()
    if process.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        again = f"python {' '.join(command[1:3])} FOLDER"
        raise StudyError(f"the model could not be trained: {last}\nTry it alone: {again}")


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Train the model, start Kafka, and take both away at the end."""
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="penstock-study-") as name:
        folder = Path(name)
        await train(folder)
        async with EmbeddedKafka() as kafka:
            try:
                yield Stage(kafka.bootstrap_servers, folder, Workload(folder), stop)
            finally:
                stop.set()


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all studies share."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a small run; it is written to build/studies")
    parser.add_argument("--out", type=Path, help="folder of the figures; by default docs/benchmarks")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: figures and table from the JSON file")
    return parser


def folder_of(given: argparse.Namespace) -> Path:
    """Return where the figures go, having made it."""
    folder: Path = given.out or (_QUICK if given.quick else _PAGES)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def play(study: Callable[[], Awaitable[None]]) -> int:
    """Run a study to its end, or to Ctrl-C or SIGTERM; say what went wrong in a few lines; return the exit status."""

    async def cancelled_by_sigterm() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await study()

    try:
        asyncio.run(cancelled_by_sigterm())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nStopped; nothing was written.", file=sys.stderr)
        return _INTERRUPTED
    except (StudyError, BrokerError, PenstockError, KafkaException, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0
