"""What the integration tests share. The broker starts when the first of them asks for it."""

import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import structlog

from penstock.broker import EmbeddedKafka
from tests.support import cluster
from tests.support.lane import Lane, new_lane
from tests.support.worker_inside import InsideWorker
from tests.support.worker_process import WorkerProcess, variables

# The processes of pytest-xdist ignore Ctrl-C, and so would all that tests start there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logging_as_it_comes() -> None:
    """Undo what a test before has done to structlog."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
async def bootstrap() -> AsyncIterator[str]:
    """The addresses of the cluster that tests share."""
    async with cluster.cluster() as addresses:
        yield addresses


@pytest.fixture
async def own_broker() -> AsyncIterator[EmbeddedKafka]:
    """A broker that the test may stop."""
    reason = cluster.foreign()
    if reason:
        pytest.skip(reason)
    async with EmbeddedKafka(heap_mb=256, version=cluster.version()) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository; see `tests.support.repository`."""
    from tests.support import repository

    return repository.make(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def lane(bootstrap: str, request: pytest.FixtureRequest) -> Lane:
    """Fresh topics with 8 partitions each, and a group."""
    return await new_lane(bootstrap, request.node.name[:60].replace("[", "-").replace("]", ""))


@pytest.fixture
async def worker_process(lane: Lane, models: Path, tmp_path: Path) -> AsyncIterator[Callable[..., WorkerProcess]]:
    """Make worker processes on the test's lane; what still runs at the end is killed."""
    made: list[WorkerProcess] = []

    def make(default: str | None = "doubler", **settings: object) -> WorkerProcess:
        process = WorkerProcess(tmp_path / f"worker-{len(made)}.log", variables(lane, models, default, **settings))
        made.append(process)
        return process

    yield make
    for process in made:
        await process.end()


@pytest.fixture
def inside_worker(lane: Lane, models: Path) -> Callable[..., InsideWorker]:
    """Make workers inside the test's process, on its lane."""

    def make(default: str | None = "doubler", **settings: object) -> InsideWorker:
        return InsideWorker(lane, models, default, **settings)

    return make
