"""Looking again and again: what breaks down is said on the page, and the rest goes on."""

from collections.abc import Iterator

import pytest

from penstock.cli.top import watching as module
from penstock.cli.top.watching import Watching
from penstock.consumer.health import HealthServer
from penstock.consumer.settings import ToolSettings
from penstock.core.metrics import Metrics
from tests.support.waiting import until


class BrokenCluster:
    """Fails in a way that no error of Kafka's does."""

    def __init__(self, _: object) -> None:
        self.closed = 0

    async def read(self, *_: object) -> object:
        raise RuntimeError("the sky fell")

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def url() -> Iterator[str]:
    """The pages of a worker."""
    metrics = Metrics()
    metrics.describe(client_id="penstock-1", processes=1)
    server = HealthServer("127.0.0.1", 0, metrics.registry, live=lambda: None, ready=lambda: None)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def watching(url: str, monkeypatch: pytest.MonkeyPatch) -> Watching:
    """Watches that worker, and a Kafka that cannot be asked."""
    monkeypatch.setattr(module, "Cluster", BrokenCluster)
    return Watching(ToolSettings(), [url], interval_s=0.05, window_s=1.0)


async def test_breakdown_of_asking_kafka_is_its_problem_and_the_workers_are_seen(watching):
    async with watching:
        await watching.begin()
        await watching.again()
        view = watching.view()

    assert (view.kafka_problem, view.ready) == ("unforeseen RuntimeError: the sky fell", 1)


async def test_live_page_says_it_too(watching):
    async with watching:
        await watching.begin()
        watching.keep_looking()
        await until(lambda: watching.view().kafka_problem, what="the problem")
        assert all(not task.done() for task in watching._tasks.values())
