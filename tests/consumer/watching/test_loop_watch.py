"""The thread that sees when the event loop is blocked."""

import subprocess
import sys
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from penstock.consumer.watching import loop_watch
from penstock.consumer.watching.loop_watch import EXIT_BLOCKED, LoopWatch
from penstock.core.metrics import Metrics


def count_of(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("penstock_loop_blocks_total")


def block_until(done: Sequence[object]) -> None:
    deadline = time.monotonic() + 10
    while not done and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_blocked_loop_is_told_of_once_with_its_place(monkeypatch) -> None:
    monkeypatch.setattr(loop_watch, "_TOLD_AFTER_S", 0.05)
    monkeypatch.setattr(loop_watch, "_LOOK_S", 0.01)
    metrics = Metrics()
    with capture_logs() as logs:
        watch = LoopWatch(metrics)
        watch.start()
        block_until(logs)
        watch.turn()
        watch.stop()
    blocked, again = logs
    assert (blocked["event"], again["event"]) == ("the event loop is blocked", "the event loop turns again")
    assert "block_until" in blocked["at"][0]
    assert count_of(metrics.registry) == 1


def test_a_loop_that_stays_blocked_ends_the_process() -> None:
    code = (
        "import time; from penstock.core.metrics import Metrics\n"
        "from penstock.consumer.watching.loop_watch import LoopWatch\n"
        "watch = LoopWatch(Metrics()); watch.exit_after_s = 0.1; watch.start(); time.sleep(60)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == EXIT_BLOCKED
    assert "the process ends" in ended.stderr + ended.stdout
