"""`penstock bench` against a real broker and a real worker."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import COMMAND, Ran, environment, penstock
from tests.support.lane import Lane, new_lane
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, variables

ROWS = 40
STALL_S = 0.8


@dataclass(frozen=True)
class Place:
    """A lane with a worker, its repository, and a folder of rows."""

    lane: Lane
    models: Path
    folder: Path

    @property
    def options(self) -> tuple[str, ...]:
        lane = self.lane
        topics = ("--request-topic", lane.requests, "--reply-topic", lane.replies)
        return ("-b", lane.bootstrap, *topics, "--set", f"worker.group_id={lane.group}")

    async def bench(self, *arguments: object) -> Ran:
        return await asyncio.to_thread(penstock, "bench", *arguments, *self.options, folder=self.folder)

    async def measured(self, *arguments: object, status: int = 0) -> dict[str, Any]:
        """What `--json` prints, and nothing else is on standard output."""
        ran = await self.bench(*arguments, "--json")
        assert ran.status == status, ran
        found: dict[str, Any] = json.loads(ran.out)
        return found


@pytest.fixture(scope="module")
async def place(bootstrap: str, models: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    root = tmp_path_factory.mktemp("bench")
    quick = [[number, 1.0, 0.0] for number in range(ROWS)]
    _write(root / "quick.jsonl", quick)
    _write(root / "stalled.jsonl", [*quick[:-1], [0.0, 1.0, STALL_S]])
    _write(root / "faulty.jsonl", [*quick[:-1], [0.0, 666.0, 0.0]])
    _write(root / "slow.jsonl", [[0.0, 1.0, 0.15]])
    lane = await new_lane(bootstrap, "bench")
    settings = variables(lane, models, default=None, worker__allowed_reply_topics=f"{lane.replies}.bench-*")
    async with WorkerProcess(root / "worker.log", settings) as process:
        await process.ready()
        yield Place(lane, models, root)


def _write(path: Path, rows: list[list[float]]) -> None:
    path.write_text("\n".join(map(json.dumps, rows)))


async def test_rate_is_kept_and_every_request_answered(place):
    load = ("--rate", 100, "--seconds", 1, "--warm-up", 0.3, "--timeout", 20)
    found = await place.measured("joiner", *load, "--repository", place.models)

    assert (found["model"], found["mode"], found["sent"], found["answered"]) == ("joiner@1", "rate", 100, 100)
    assert (found["lost"], found["errors"], found["late_replies"]) == (0, {}, 0)
    assert found["lag"]["before"] is not None
    assert found["lag"]["after"] is not None
    times = [found["latency_ms"][name] for name in ("p50", "p90", "p99", "p99.9", "max")]
    assert times == sorted(times)
    assert times[0] > 0
    assert sum(window["answered"] for window in found["timeline"]) == 100


async def test_so_many_at_once_of_raw_rows_are_printed_and_drawn(place):
    form = ("--rows", "quick.jsonl", "--rows-per-request", 2, "--raw", "--plot", "plot.svg")
    ran = await place.bench("doubler", "--concurrency", 8, "--seconds", 1, "--warm-up", 0.2, *form)

    assert ran.status == 0, ran
    lines = ran.out.splitlines()
    assert lines[0] == "doubler@1: 8 requests at once for 1 s, after 0.2 s to warm up"
    assert lines[1] == "  20 different requests, 2 rows in 24 B of raw tensors"
    assert max(map(len, lines)) <= 80
    (answered,) = [line.split() for line in lines if line.startswith("Answered")]
    assert int(answered[1].replace(",", "")) > 0
    assert "doubler@1 with 8 requests at once" in (place.folder / "plot.svg").read_text()


async def test_stall_is_counted_for_every_request_that_should_have_left_in_it(place):
    load = ("--rate", 40, "--seconds", 1, "--warm-up", 0, "--timeout", 20)
    found = await place.measured("doubler", *load, "--rows", "stalled.jsonl", "--objective", "max=100ms", status=1)

    # One of forty requests takes that long. Those behind it were due meanwhile, and had to wait as well.
    assert found["latency_ms"]["max"] >= STALL_S * 1000
    assert found["sent"] == found["answered"] == 40
    assert found["broken_by"] == "service"


async def test_errors_are_counted_by_code_and_break_an_objective(place):
    load = ("--rate", 80, "--seconds", 1, "--warm-up", 0, "--timeout", 20)
    found = await place.measured("doubler", *load, "--rows", "faulty.jsonl", "--objective", "errors=1%", status=1)

    assert found["errors"] == {"MODEL_FAILED": found["sent"] - found["answered"]}
    assert found["errors"]["MODEL_FAILED"] >= 1
    assert found["held"] is False
    assert "% failed, over 1.0 %" in found["reason"]


async def test_ramp_ends_at_the_highest_rate_that_is_wanted(place):
    steps = ("--ramp", "--rate", 20, "--up-to", 50, "--seconds", 0.5, "--warm-up", 0)
    found = await place.measured("doubler", *steps, "--rows", "quick.jsonl", "--objective", "p99=20s")

    assert [(step["rate"], step["held"]) for step in found["steps"]] == [(20, True), (40, True), (50, True)]
    assert (found["highest_rate_held"], found["lowest_rate_broken"]) == (50, None)


async def test_ramp_in_which_nothing_holds_says_so(place):
    steps = ("--ramp", "--rate", 20, "--halvings", 0, "--seconds", 0.5, "--warm-up", 0)
    ran = await place.bench("doubler", *steps, "--rows", "slow.jsonl", "--objective", "p99=100ms")

    assert ran.status == 1, ran
    assert "No rate held p99=100ms and errors=0.1%" in ran.out
    assert "    20/s   p99" in ran.err


async def test_topic_of_its_own_gets_the_replies_and_is_gone_afterwards(place):
    load = ("--rate", 50, "--seconds", 0.5, "--warm-up", 0, "--timeout", 20)
    found = await place.measured("doubler", *load, "--rows", "quick.jsonl", "--own-reply-topic")

    assert found["answered"] == 25
    assert found["reply_topic"].startswith(f"{place.lane.replies}.bench-")

    async def gone() -> bool:
        return found["reply_topic"] not in await place.lane.topics()

    await until(gone)


async def test_ctrl_c_prints_what_was_measured(place):
    load = ("--rate", "50", "--seconds", "60", "--warm-up", "0", "--timeout", "20", "--rows", "quick.jsonl")
    ran = await asyncio.to_thread(_interrupted, ["bench", "doubler", *load, *place.options], place.folder)

    assert ran.status == 130, ran
    assert "Stopped." in ran.err
    assert ran.out.startswith("doubler@1: 50 requests a second for 60 s")
    assert "\nStopped after " in ran.out


def _interrupted(arguments: list[str], folder: Path) -> Ran:
    """Run a command, and interrupt it once it tells how far it is."""
    with subprocess.Popen(
        [*COMMAND, *arguments], env=environment(), cwd=folder, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        first = process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    return Ran(process.returncode, out, first + err)


async def test_service_in_which_nobody_answers_is_told(bootstrap, place):
    silent = Place(await new_lane(bootstrap, "bench-silent"), place.models, place.folder)
    ran = await silent.bench("doubler", "--rows", "quick.jsonl", "--timeout", 0.5)

    assert (ran.status, ran.out) == (1, ""), ran
    assert f"no reply within 0.5 s to a first request on {silent.lane.requests}/0." in ran.err
    assert "`penstock doctor` finds out." in ran.err


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["nosuch", "--rows", "quick.jsonl"], "UNKNOWN_MODEL", 1),
        (["doubler"], "name a file of them, or make them up with --repository", 2),
    ],
    ids=["model", "rows"],
)
async def test_wrong_use_is_told_in_three_lines_at_most(place, arguments, said, status):
    ran = await asyncio.to_thread(penstock, "bench", *place.options, *arguments, folder=place.folder)

    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert len(ran.lines) <= 3
