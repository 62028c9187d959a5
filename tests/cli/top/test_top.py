"""`penstock top` on a running service."""

import asyncio
import signal

import orjson
import pytest
import typer

from penstock.broker.ports import free_ports
from penstock.cli.top.command import page_address
from tests.cli.top.pseudo_terminal import PseudoTerminal
from tests.support.command import penstock
from tests.support.lane import new_lane
from tests.support.messages import infer
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, kill, variables

DOUBLER, SCALER, UNKNOWN = (("penstock-model", name) for name in (b"doubler", b"scaler", b"nobody"))


async def send_some(lane) -> None:
    """20 that the doubler answers, 3 that it fails on, 7 for the scaler, and 2 for a model that is not there."""
    rows = [(infer([n, 0, 0]), DOUBLER) for n in range(20)] + [(infer([n, 666, 0]), DOUBLER) for n in range(3)]
    rows += [(infer([n]), SCALER) for n in range(7)] + [(infer([n]), UNKNOWN) for n in range(2)]
    await lane.send((n % 8, None, value, [header]) for n, (value, header) in enumerate(rows))
    await lane.read(enough=32)
    await lane.wait_until_committed()


@pytest.fixture(scope="module")
async def service(bootstrap, models, tmp_path_factory):
    """A lane and the worker that has served some traffic there; for tests that only look."""
    lane = await new_lane(bootstrap, "top")
    async with WorkerProcess(tmp_path_factory.mktemp("top") / "worker.log", variables(lane, models)) as worker:
        await worker.ready()
        await send_some(lane)
        yield lane, worker


async def test_figures_agree_with_the_traffic(service):
    lane, worker = service

    ran = await asyncio.to_thread(penstock, "top", "--url", worker.url(), "--json", "--interval", "0.3")

    assert (ran.status, ran.err) == (0, "")
    page = orjson.loads(ran.out)
    assert {model["name"]: model["answered"] for model in page["models"]} == {
        "cancer": 0, "doubler": 23, "joiner": 0, "scaler": 7, "": 2
    }  # fmt: skip
    assert {line["code"]: line["count"] for line in page["errors"]} == {"MODEL_FAILED": 3, "UNKNOWN_MODEL": 2}
    assert (page["totals"]["answered"], page["totals"]["errors"], page["totals"]["lag"]) == (32, 5, 0)
    assert (page["group"], page["kafka"], page["kafka_problem"]) == (lane.group, lane.bootstrap, None)
    assert (page["ready"], page["group_state"], page["notes"]) == (1, "Stable", [])
    (topic,) = page["lanes"]
    assert (topic["topic"], topic["partitions"], topic["owned"], topic["owners"]) == (lane.requests, 8, 8, 1)
    (line,) = page["workers"]
    assert (line["pid"], line["state"], line["partitions"]) == (worker.pid, "ready", 8)
    scaler = next(model for model in page["models"] if model["name"] == "scaler")
    assert (scaler["serving"], scaler["versions"]) == (["2"], ["1", "2"])


async def test_page_is_printed_once_where_no_terminal_is(service):
    _, worker = service

    ran = await asyncio.to_thread(penstock, "top", "--url", worker.url(), "--interval", "0.3")

    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert "1 of 1 ready" in lines[0]
    assert "32 in all" in lines[1]
    assert "\x1b" not in ran.out


async def test_processes_are_found_by_their_settings_and_a_killed_one_is_seen_to_come_back(worker_process):
    port = free_ports(1)[0]
    service = worker_process(worker__processes=2, http__port=port)
    await service.start()
    await service.ready(processes=2)

    # The first one says how many there are; no setting does, and none says where Kafka is.
    variables = {"PENSTOCK_HTTP__PORT": port}
    async with PseudoTerminal("top", "--interval", "0.2", columns=200, lines=50, variables=variables) as terminal:
        await terminal.shows("2 of 2 ready", f"127.0.0.1:{port + 1}", "8/8")
        victim = service.children()[1]
        kill(victim)
        await terminal.shows(f"127.0.0.1:{port + 1} is gone for", "1 of 2 ready")
        await service.ready(processes=2)
        await terminal.shows("2 of 2 ready", "8/8")
        assert f" {victim} " not in terminal.text


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50)])
async def test_live_page_fills_the_terminal_and_ends_with_q(service, columns, lines):
    _, worker = service

    async with PseudoTerminal(
        "top", "--url", worker.url(), "--interval", "0.2", columns=columns, lines=lines
    ) as terminal:
        before = terminal.modes()
        await terminal.shows("1 of 1 ready", "32 in all", "keeping up", "doubler", "MODEL_FAILED", "8/8", "q ends")
        assert terminal.lines[-1].startswith("q ends")
        assert ("╭" in terminal.text) == (columns == 200)
        assert terminal.modes() != before
        drawn = len(terminal.written)
        await until(lambda: len(terminal.written) > drawn, what="drawn again")
        terminal.type("q")

        assert await terminal.status() == 0
        assert terminal.modes() == before
        # Drawn over, never cleared in between; and at the end the other screen and the cursor are back.
        assert terminal.written.count(b"\x1b[2J") == 0
        assert terminal.written.count(b"\x1b[?1049h") == terminal.written.count(b"\x1b[?1049l") == 1
        assert terminal.written.endswith((b"\x1b[?25h", b"\x1b[?1049l"))


async def test_live_page_follows_the_size_of_the_terminal(service):
    _, worker = service

    async with PseudoTerminal("top", "--url", worker.url(), "--interval", "60", columns=80, lines=24) as terminal:
        await terminal.shows("1 of 1 ready")
        assert "╭" not in terminal.text
        terminal.resize(130, 40)
        await terminal.shows("╭─ models", "q ends")


async def test_interrupt_is_the_normal_end(service):
    _, worker = service

    async with PseudoTerminal("top", "--url", worker.url(), columns=80, lines=24) as terminal:
        before = terminal.modes()
        await terminal.shows("1 of 1 ready")
        terminal.interrupt()

        assert await terminal.status() == 0
        assert terminal.modes() == before
        assert b"\x1b[?1049l" in terminal.written


async def test_worker_that_hangs_holds_nothing_up(service):
    _, worker = service
    server = await asyncio.start_server(lambda _, writer: None, "127.0.0.1", 0)
    hanging = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with (
        server,
        PseudoTerminal(
            "top", "--url", worker.url(), "--url", hanging, "--interval", "0.2", columns=80, lines=24
        ) as terminal,
    ):
        await terminal.shows("1 of 2 ready", f"{hanging} is silent: no answer within 2 s.", "8/8")
        terminal.type("q")

        assert await terminal.status(within_s=2) == 0


async def test_page_goes_on_without_kafka_and_without_workers(worker_process):
    worker = worker_process()
    await worker.start()
    await worker.ready()
    nowhere = free_ports(1)[0]
    async with PseudoTerminal(
        "top", "--url", worker.url(), "-b", f"127.0.0.1:{nowhere}", "--interval", "0.2", columns=80, lines=24
    ) as terminal:
        await terminal.shows("1 of 1 ready", f"No Kafka broker answers at 127.0.0.1:{nowhere}: connection refused")
        await terminal.shows("say -b")
        worker.signal(signal.SIGTERM)
        await terminal.shows("0 of 1 ready", "nobody listens there")
        terminal.type("q")

        assert await terminal.status() == 0


def test_no_worker_is_two_lines_with_what_was_tried_and_what_to_do():
    port = free_ports(1)[0]
    ran = penstock("top", variables={"PENSTOCK_HTTP__PORT": port})

    assert (ran.status, ran.out) == (1, "")
    assert ran.lines == [
        f"penstock: no worker answers at http://127.0.0.1:{port}: nobody listens there.",
        "Start one with `penstock worker`, or say where it is: penstock top --url http://host:port",
    ]


def test_settings_that_lead_to_no_page_ask_for_one():
    ran = penstock("top", variables={"PENSTOCK_HTTP__PORT": 0})

    assert ran.status == 2
    assert "--url" in ran.err


@pytest.mark.parametrize("url", ["", "ftp://host:1", "http://", "http://user@host:1", "two words", "host:1:2"])
def test_wrong_url_is_wrong_usage(url):
    with pytest.raises(typer.BadParameter, match="is not http://host:port"):
        page_address(url)


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_port_that_there_cannot_be_is_wrong_usage(port):
    with pytest.raises(typer.BadParameter, match="no port from 1 to 65535"):
        page_address(f"http://host:{port}/metrics")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("worker-7:8090", "http://worker-7:8090"),
        ("https://penstock.example/worker-7/metrics", "https://penstock.example/worker-7"),
        ("[::1]:8090/", "http://[::1]:8090"),
    ],
)
def test_url_is_completed(url, address):
    assert page_address(url) == address
