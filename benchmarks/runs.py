"""One run of one contestant: its figures, or an error that names it."""

import itertools
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import interpreter
from benchmarks.latency import timed_replies
from benchmarks.measure import StalledError, check_replies, wait_for_replies
from benchmarks.processes import ROOT, ContestantError, Meter
from benchmarks.roster import Contestant
from benchmarks.serving import environment, headers_of, model_of, serving
from benchmarks.topics import Topics
from benchmarks.workload import Workload

_ALONE_S = 300.0


@dataclass(slots=True)
class Bench:
    """A broker, and a folder for what contestants print."""

    bootstrap: str
    folder: Path
    topics: Topics
    _numbers: Any = field(default_factory=itertools.count)

    def name(self, what: str) -> str:
        """Return a name that no topic has had."""
        return f"{what}-{next(self._numbers)}"

    def filled(self, workload: Workload, count: int, headers: list[tuple[str, bytes]]) -> str:
        """Return a new topic with that many requests."""
        topic = self.topics.make(self.name("requests"))
        workload.fill(self.bootstrap, topic, count, headers)
        return topic


def rate_run(bench: Bench, who: Contestant, workload: Workload, requests: str, count: int) -> dict[str, Any]:
    """Let a contestant answer a topic that is filled, and check every reply.

    Raises:
        ContestantError: it died, stopped answering, or answered something wrongly.
    """
    replies = bench.topics.make(bench.name("replies"))
    output = bench.folder / f"{replies}.log"
    with serving(who, bench.bootstrap, requests, replies, workload=workload, output=output) as contestant:
        meter = Meter(contestant)
        try:
            wait_for_replies(bench.topics, replies, count, meter.look)
        except StalledError as error:
            raise contestant.error(f"stopped answering: {error}") from None
        used = meter.figures(count)
    # What was written while it ended counts too.
    found = check_replies(bench.bootstrap, replies, workload, count, echoes=who.echoes)
    bench.topics.drop(replies)
    if found.fault:
        raise contestant.error(f"did not answer rightly: {found.fault}")
    return {"requests": count, "per_second": found.per_second, "seconds": found.seconds, **used}


def alone_run(who: Contestant, workload: Workload, count: int) -> dict[str, Any]:
    """Run what needs no broker. Raises: ContestantError."""
    command = [
        *(str(interpreter(who.environment)), "-m", f"benchmarks.contestants.{who.module}"),
        *(f"--model={model_of(workload)}", f"--rows={max(count, 64)}"),
    ]
    try:
        ran = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=_ALONE_S, check=True
        )
    except subprocess.TimeoutExpired:
        raise ContestantError(f"{who.title} was not done within {_ALONE_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        said = "\n".join(error.stderr.splitlines()[-12:])
        raise ContestantError(f"{who.title} ended with status {error.returncode}:\n{said}") from None
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def latency_run(
    bench: Bench, who: Contestant, workload: Workload, *, per_second: int, seconds: float
) -> dict[str, Any]:
    """Ask a contestant at a steady rate, and check every reply.

    Raises:
        ContestantError: it died, did not answer, or answered something wrongly.
    """
    requests, replies = bench.topics.make(bench.name("asked")), bench.topics.make(bench.name("told"))
    output = bench.folder / f"{replies}.log"
    with serving(who, bench.bootstrap, requests, replies, workload=workload, output=output) as contestant:
        try:
            found = timed_replies(
                bench.bootstrap, requests, replies, workload, per_second=per_second, seconds=seconds,
                headers=headers_of(who, workload), watch=contestant.check,
            )  # fmt: skip
        except TimeoutError as error:
            raise contestant.error(f"did not answer: {error}") from None
    bench.topics.drop(requests, replies)
    if found.fault:
        raise contestant.error(f"did not answer rightly at {per_second}/s: {found.fault}")
    p50, p90, p99 = np.percentile(found.ms, [50, 90, 99])
    times = {"p50_ms": float(p50), "p90_ms": float(p90), "p99_ms": float(p99), "max_ms": float(found.ms.max())}
    return {"requests": len(found.ms), "late_ms": found.late_ms, **times}
