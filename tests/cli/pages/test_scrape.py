"""Asking worker processes for their pages, over HTTP."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, Info

from penstock.broker.ports import free_ports, is_free
from penstock.cli.pages import scrape as module
from penstock.cli.pages.fetch import Answer
from penstock.cli.pages.sample import Sample, Silence
from penstock.cli.pages.scrape import look, look_around
from penstock.consumer.health import HealthServer
from penstock.core.metrics import Metrics

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Make pages of workers: what `penstock worker` serves, without the worker."""
    servers: list[HealthServer] = []

    def begin(port: int = 0, not_ready: str | None = None, registry: Any = None, **info: object) -> str:
        metrics = Metrics()
        metrics.describe(**info)
        server = HealthServer(
            "127.0.0.1", port, registry or metrics.registry, live=lambda: None, ready=lambda: not_ready
        )
        server.start()
        servers.append(server)
        return f"http://127.0.0.1:{server.port}"

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture
def ports() -> int:
    """The first of three free ports side by side."""
    return next(port for port in free_ports(100) if is_free(port + 1) and is_free(port + 2))


async def test_page_of_a_worker_is_a_sample(serve):
    url = serve(client_id="penstock-1", processes=1)

    seen = await look(url)

    assert isinstance(seen, Sample)
    assert (seen.url, seen.info["client_id"], seen.not_ready) == (url, "penstock-1", None)


async def test_worker_that_is_not_ready_is_a_sample_too(serve):
    seen = await look(serve(not_ready="models are loading", client_id="penstock-1"))

    assert isinstance(seen, Sample)
    assert seen.not_ready == "models are loading"


async def silence(url: str) -> Silence:
    seen = await look(url)
    assert isinstance(seen, Silence)
    return seen


async def test_nobody_is_told_from_a_stranger_and_from_one_that_hangs(serve):
    for host in ("127.0.0.1", "localhost"):
        nobody = await silence(f"http://{host}:{free_ports(1)[0]}")
        assert (nobody.why, nobody.gone) == ("nobody listens there", True)

    stranger = await silence(serve(registry=CollectorRegistry()))
    assert (stranger.why, stranger.gone) == ("something else than a Penstock worker answers", False)

    astray = await silence(serve(client_id="penstock-1") + "/elsewhere")
    assert astray.why == "/metrics is answered with status 404"

    server = await asyncio.start_server(lambda _, writer: None, "127.0.0.1", 0)
    async with server:
        hanging = await silence(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert (hanging.why, hanging.gone) == ("no answer within 2 s", False)


async def test_figures_without_a_workers_labels_are_a_strangers(serve):
    registry = CollectorRegistry()
    Info("penstock_worker", "Which worker this is", registry=registry)
    Gauge("penstock_lag_records", "Lag without a partition", registry=registry).set(1)

    assert (await silence(serve(registry=registry))).why == "something else than a Penstock worker answers"


async def test_what_nobody_foresaw_is_said_in_one_line(monkeypatch):
    async def break_down(*_: object) -> Answer:
        raise RuntimeError("the\x1b[2J sky\nfell")

    monkeypatch.setattr(module, "fetch", break_down)
    assert (await silence("http://here:8090")).why == "unforeseen RuntimeError: the?[2J sky"


@pytest.mark.parametrize("answer", [b"", b"\x00\xff", b"HTTP/1.0 nonsense\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe"])
async def test_nonsense_is_a_stranger(answer):
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        await silence(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def test_first_process_tells_how_many_there_are(serve, ports):
    for number in (0, 1):
        serve(ports + number, client_id=f"penstock-{number}", processes=2)
    serve(ports + 2, client_id="another-service", processes=1)

    found = await look_around("127.0.0.1", ports, 1)

    assert [each.info["client_id"] for each in found if isinstance(each, Sample)] == ["penstock-0", "penstock-1"]


async def test_process_that_is_down_is_missed_and_its_neighbour_found(serve, ports):
    serve(ports + 1, client_id="penstock-1", processes=2)

    down, up = await look_around("127.0.0.1", ports, 1)

    assert isinstance(down, Silence)
    assert isinstance(up, Sample)


async def test_neighbour_of_another_service_is_not_taken(serve, ports):
    serve(ports + 1, client_id="another-service", processes=1)

    assert [type(each) for each in await look_around("127.0.0.1", ports, 1)] == [Silence]
