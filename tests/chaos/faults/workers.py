"""Faults of worker processes: killed, held still, told to end, and coming and going."""

import signal
from collections.abc import Mapping
from functools import partial
from typing import Any

from tests.chaos import oracle
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.fleet import sent_by
from tests.chaos.frames import Kind
from tests.chaos.oracle import Evidence
from tests.chaos.requests import Layout
from tests.chaos.scene import Scene
from tests.chaos.trial import SESSION_S
from tests.support.waiting import until

AT_ONCE = 130  # of a worker that was told twice to stop


class KillWorkers(Fault):
    """Each kill hits a process at a random moment; another takes its place."""

    rank, name = 1, "kill -9 workers in a loop"
    # Commits are rare, so that at any moment there are answers which no commit covers.
    settings: Mapping[str, Any] = {"worker__commit_interval_s": 0.5}

    def __init__(self, kills: int = 4, requests: int = 0, rate: float = 400.0) -> None:
        self.kills, self.requests, self.rate = kills, requests, rate
        self.limit_s = 60.0 * kills

    async def act(self, scene: Scene) -> None:
        for _ in range(self.kills):
            await scene.lasting(scene.rng.uniform(0.2, 2.0))
            victim = scene.rng.choice(scene.fleet.running)
            scene.timeline.mark(f"kill -9 {victim.pid}")
            await victim.die()
            await scene.fleet.start()
            await scene.answered(20)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        killed = sum(worker.spoiled for worker in scene.fleet.workers)
        rebalances = len(scene.fleet.logged("partitions opened"))
        seen(killed == self.kills and rebalances > 2 * self.kills, f"{killed} killed, {rebalances} assignments")
        if scene.delivery == "exactly-once":
            seen(aborted := oracle.aborted(evidence), "no attempt was aborted")
            return f"{killed} killed, {aborted} attempts aborted"
        seen(again := oracle.doubles(evidence), "nothing was answered twice: each kill hit an idle moment")
        return f"{killed} killed, {again} answered twice"


class Zombie(Fault):
    """A worker is held still until the group takes it for dead, and then goes on with what it had in hand."""

    rank, name = 2, "SIGSTOP longer than the session, then SIGCONT"

    def __init__(self, times: int = 1, requests: int = 0, rate: float = 400.0) -> None:
        self.times, self.requests, self.rate = times, requests, rate

    async def act(self, scene: Scene) -> None:
        for _ in range(self.times):
            victim = scene.rng.choice(scene.fleet.running)
            members = len(await scene.assigned())
            victim.suspend()
            scene.timeline.mark(f"SIGSTOP {victim.pid}")
            try:
                await until(partial(self._fewer, scene, members), within_s=SESSION_S * 6, every_s=0.3, what="fenced")
                scene.notes["fenced"] = scene.notes.get("fenced", 0) + 1
                await scene.answered(50)
            finally:
                victim.resume()
                scene.timeline.mark(f"SIGCONT {victim.pid}")
            await until(partial(self._back, scene, members), within_s=60, every_s=0.3, what="back in the group")

    async def _fewer(self, scene: Scene, members: int) -> bool:
        return len(await scene.assigned()) < members

    async def _back(self, scene: Scene, members: int) -> bool:
        assigned = await scene.assigned()
        return len(assigned) == members and all(assigned.values())

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("fenced") == self.times, "the group never took the worker for dead")
        return f"{self.times} times taken for dead, and back"


class KillBeforeCommit(Fault):
    """The worker's commits do not arrive, replies do, and then it is killed: all of them are served again."""

    rank, name = 3, "kill between the reply's acknowledgement and the commit"

    def __init__(self, times: int = 1, requests: int = 0, rate: float = 400.0) -> None:
        self.times, self.requests, self.rate = times, requests, rate

    async def act(self, scene: Scene) -> None:
        commits = (Kind.OFFSET_COMMIT, Kind.TXN_OFFSET_COMMIT)
        for _ in range(self.times):
            victim = scene.rng.choice(scene.fleet.running)
            weather = scene.cluster.proxy.weather
            weather.swallowed = sent_by(victim, *commits)
            await scene.cluster.proxy.until_swallowed()
            scene.timeline.mark(f"a commit of {victim.pid} did not arrive; kill -9")
            await victim.die()
            weather.swallowed = None
            scene.notes["swallowed"] = scene.notes.get("swallowed", 0) + 1
            await scene.fleet.start()

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("swallowed") == self.times, "no commit was on its way")
        if scene.delivery == "exactly-once":
            seen(count := oracle.aborted(evidence), "no attempt was aborted")
            return f"{count} attempts aborted"
        seen(count := oracle.doubles(evidence), "nothing was answered twice")
        return f"{count} answered twice"


class MoreWorkersThanPartitions(Fault):
    """The group grows beyond its partitions, and shrinks to one."""

    rank, name = 11, "workers 1 -> many -> 1, more than partitions"
    workers = 1

    def __init__(self, most: int = 8, partitions: int = 6, requests: int = 0, rate: float = 400.0) -> None:
        self.most, self.requests, self.rate = most, requests, rate
        self.layout = Layout(partitions=partitions)
        self.limit_s = 300.0

    async def act(self, scene: Scene) -> None:
        scene.timeline.mark(f"1 -> {self.most} workers")
        await scene.fleet.start(self.most - 1)
        await until(lambda: self._members(scene, self.most), within_s=60, every_s=0.5, what=f"{self.most} members")
        scene.notes["idle"] = sum(not count for count in (await scene.assigned()).values())
        await scene.answered(100)
        scene.timeline.mark(f"{self.most} -> 1 workers")
        for worker in scene.fleet.running[1:]:
            worker.signal(signal.SIGTERM)
            await scene.lasting(scene.rng.uniform(0.0, 0.5))
        await until(lambda: self._members(scene, 1), within_s=60, every_s=0.5, what="one member")

    async def _members(self, scene: Scene, count: int) -> bool:
        assigned = await scene.assigned()
        return len(assigned) == count and sum(assigned.values()) == self.layout.partitions

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        idle = scene.notes.get("idle", 0)
        seen(idle == self.most - self.layout.partitions, f"{idle} members had no partition")
        return f"{self.most} members, {idle} of them without a partition"


class Sigterm(Fault):
    """A worker is told to end under load, and then another one twice."""

    rank, name = 34, "SIGTERM under load; a second SIGTERM"
    settings: Mapping[str, Any] = {"worker__shutdown_timeout_s": 15.0}

    def __init__(self, requests: int = 0, rate: float = 400.0) -> None:
        self.requests, self.rate = requests, rate

    async def act(self, scene: Scene) -> None:
        first, second = scene.fleet.running[:2]
        first.signal(signal.SIGTERM)
        scene.timeline.mark(f"SIGTERM {first.pid}")
        scene.notes["status"] = await first.wait(15.0 + 5.0 + 2.0)  # its deadline, and five seconds to disconnect
        await scene.fleet.start()
        await scene.answered(50)
        # It cannot drain while nothing is acknowledged: the second signal finds it draining.
        scene.cluster.proxy.weather.swallowed = sent_by(second, Kind.PRODUCE)
        await scene.cluster.proxy.until_swallowed()
        second.spoiled = True
        second.signal(signal.SIGTERM)
        await until(lambda: second.logged("draining"), within_s=10, what="it drains")
        scene.timeline.mark(f"SIGTERM {second.pid}, twice")
        second.signal(signal.SIGTERM)
        scene.notes["second"] = await second.wait(2.0)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("status") == 0, f"the first worker ended with {scene.notes.get('status')}")
        seen(scene.notes.get("second") == AT_ONCE, f"the second worker ended with {scene.notes.get('second')}")
        return "drained by the first, ended at once by the second"
