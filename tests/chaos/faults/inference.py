"""Faults of the model and of the process that it runs in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos.faults.control import CONTROLLED, agreed, commands, deploy, versions
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.fleet import with_first
from tests.chaos.models import HOLDER, SLEEP_S, SLEEPER
from tests.chaos.oracle import Evidence
from tests.chaos.scene import Scene
from tests.chaos.trial import SESSION_S
from tests.support.waiting import until
from tests.support.worker_process import kill

_CLOCK = '''"""Sets this process's clock forward while a file is there."""

import os
import time

_real, _real_ns, _file = time.time, time.time_ns, os.environ["CHAOS_CLOCK"]


def _ahead():
    return 3600 if os.path.exists(_file) else 0


time.time = lambda: _real() + _ahead()
time.time_ns = lambda: _real_ns() + _ahead() * 1_000_000_000
'''


class SlowInference(Fault):
    """A batch takes longer than the session, and than anything that the group waits for."""

    rank, name = 14, "inference slower than the group's patience"
    settings = CONTROLLED
    spreads_memory = True

    def __init__(self, seconds: float = SESSION_S * 2.5, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests
        self.environment = {SLEEP_S: f"{seconds:g}"}

    async def act(self, scene: Scene) -> None:
        before = set(await scene.assigned())
        async with commands(scene) as control:
            await deploy(scene, control, SLEEPER)
            await scene.lasting(self.seconds + 2.0)
            await scene.caught_up(60, behind=int(self.rate))
        scene.notes["stayed"] = before == set(await scene.assigned())

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        longest = max((now.at_s - then.at_s for then, now in _stalls(scene)), default=0.0)
        seen(longest > self.seconds / 2, f"the longest pause between answers was {longest:.1f} s")
        seen(scene.notes.get("stayed"), "a worker lost its place in the group")
        return f"a batch took {self.seconds:g} s, and every worker kept its place in the group"


class LoopBlocked(Fault):
    """A model holds the interpreter lock: nothing else of the process runs, heartbeats neither."""

    rank, name = 15, "event loop blocked"
    settings = CONTROLLED
    limit_s = 240.0

    def __init__(self, seconds: int = 30, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests
        self.environment = {SLEEP_S: str(seconds)}

    async def act(self, scene: Scene) -> None:
        before = set(await scene.assigned())
        async with commands(scene) as control:
            issued = await deploy(scene, control, HOLDER)
            lost = lambda: self._lost(scene, before)  # noqa: E731
            await until(lost, within_s=self.seconds + 30, every_s=0.5, what="the group takes them for dead")
            scene.notes["lost"] = True
            await agreed(scene, control, issued.offset)
        await scene.caught_up(120, behind=int(self.rate))

    async def _lost(self, scene: Scene, before: set[str]) -> bool:
        return not before <= set(await scene.assigned())

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("lost"), "no worker lost its place in the group")
        seen(int(HOLDER) in versions(evidence), "the version never answered")
        return f"blocked for {self.seconds} s, taken for dead, and back"


class KillMidBatch(Fault):
    """A supervised process dies while its model runs."""

    rank, name = 17, "runtime killed mid-batch"
    workers = 1
    settings: Mapping[str, Any] = {**CONTROLLED, "worker__processes": 2}
    environment: Mapping[str, str] = {SLEEP_S: "2"}

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests

    async def act(self, scene: Scene) -> None:
        (supervisor,) = scene.fleet.running
        async with commands(scene) as control:
            await deploy(scene, control, SLEEPER)
            # Both sleep in their first batch: no answer is what says so.
            await until(lambda: self._still(scene), within_s=30, every_s=0.0, what="a batch that runs")
            victim = scene.rng.choice(supervisor.children())
            scene.timeline.mark(f"kill -9 {victim}, in the middle of a batch")
            kill(victim)
            await scene.fleet.until_logged("worker process died")
            await scene.answered(200)

    async def _still(self, scene: Scene) -> bool:
        before = len(scene.reader.answered)
        await scene.lasting(0.5)
        return len(scene.reader.answered) == before

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        died = len(scene.fleet.logged("worker process died"))
        left = len(scene.fleet.logged("left the group for a dead process"))
        seen(died == 1 and left >= 1, f"{died} processes died, {left} were taken out of the group")
        return "the process died, was taken out of the group, and another took its place"


class ClockJump(Fault):
    """The wall clock of the workers jumps an hour ahead, and back."""

    rank, name = 31, "clock jumps an hour"

    def __init__(self, seconds: float = 5.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests
        self._file = Path()

    async def prepare(self, scene: Scene) -> None:
        folder = scene.models.parent / "clock"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(_CLOCK)
        self._file = folder / "an-hour-ahead"
        self._file.unlink(missing_ok=True)
        self.environment = {**with_first(folder), "CHAOS_CLOCK": str(self._file)}
        scene.fleet.set_environment(self.environment)

    async def act(self, scene: Scene) -> None:
        epochs = await scene.fleet.metric("penstock_assignment_epoch")
        for what in ("an hour ahead", "an hour back"):
            scene.timeline.mark(f"the workers' clocks go {what}")
            self._file.touch() if "ahead" in what else self._file.unlink()
            await scene.lasting(self.seconds)
            await scene.caught_up(30, behind=int(self.rate))
        scene.notes["rebalances"] = await scene.fleet.metric("penstock_assignment_epoch") - epochs

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        stamps = [each.at_ms for each in scene.reader.seen]
        jumped = max(stamps) - min(stamps)
        seen(jumped > 3_600_000, f"replies were stamped within {jumped / 1000:.0f} s")
        seen(scene.notes.get("rebalances") == 0, "a worker lost its place in the group")
        return "replies were stamped an hour ahead, and nothing else changed"


def _stalls(scene: Scene) -> list[tuple[Any, Any]]:
    """Return the ends of the stretches of samples in which nothing was answered."""
    found: list[tuple[Any, Any]] = []
    start = None
    for then, now in zip(scene.timeline.samples, scene.timeline.samples[1:], strict=False):
        if now.answered > then.answered:
            start = None
            continue
        if start is None:
            start = then
            found.append((start, now))
        found[-1] = (start, now)
    return found
