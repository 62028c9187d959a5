"""Faults of control: versions that switch under load, and commands that come late, twice or in the wrong order."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from penstock.producer.control.control import Control
from penstock.producer.control.results import Issued
from penstock.schemas.control.status import WorkerStatus
from penstock.transport.control.appending import append
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.models import MODEL, ONNX, SLOW_TO_LOAD
from tests.chaos.oracle import Evidence
from tests.chaos.scene import Scene
from tests.support.waiting import until
from tests.support.worker_process import fetch

CONTROLLED: Final[Mapping[str, Any]] = {
    "control__enabled": True,
    "control__signing": "off",
    "control__report_interval_s": 0.5,
}
_STALE_S: Final = 8.0


def commands(scene: Scene) -> Control:
    """Whoever commands the service of a scene; the proxy is for workers alone."""
    return Control(scene.cluster.bootstrap, scene.lane.group, signing="off", timeout_s=60.0)


async def deploy(scene: Scene, control: Control, version: str) -> Issued:
    """Have one version answer everything."""
    scene.timeline.mark(f"deploy {MODEL}@{version}")
    issued = await control.deploy(MODEL, version)
    assert isinstance(issued, Issued)
    return issued


async def agreed(scene: Scene, control: Control, offset: int) -> list[WorkerStatus]:
    """Return the statuses of all workers that live, once they have followed the log so far and want the same."""
    count = len(scene.fleet.running)

    async def found() -> list[WorkerStatus]:
        done = [each for each in await control.status() if each.epoch >= offset and not each.pending]
        running = [each for each in done if each.state == "running"]
        return running if len(running) >= count and len({each.digest for each in running}) == 1 else []

    return list(await until(found, within_s=90, every_s=0.5, what=f"{count} workers agree at offset {offset}"))


def versions(evidence: Evidence) -> set[int]:
    """Which versions have answered."""
    return set(evidence.committed.version.tolist()) - {0}


class VersionSwitch(Fault):
    """One version after the other takes the traffic over."""

    rank, name = 20, "version switch under load"
    settings = CONTROLLED

    def __init__(self, switches: int = 5, requests: int = 0) -> None:
        self.wanted, self.requests = ONNX[1 : switches + 1], requests

    async def act(self, scene: Scene) -> None:
        async with commands(scene) as control:
            for version in self.wanted:
                issued = await deploy(scene, control, version)
                acks = await control.wait(issued, timeout_s=60)
                assert {ack.kind for ack in acks} == {"applied"}, acks
                await scene.answered(100)
            scene.notes["agreed"] = len(await agreed(scene, control, issued.offset))

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        answered = versions(evidence)
        seen(answered >= {1, *map(int, self.wanted)}, f"versions {sorted(answered)} have answered")
        seen(scene.notes.get("agreed", 0) >= self.workers, "the workers do not agree")
        return f"versions {sorted(answered)} have answered, {scene.notes['agreed']} workers agree"


class KillDuringSwitch(Fault):
    """A worker is killed while it loads what was deployed, and another joins."""

    rank, name = 21, "kill during a switch, rejoin"
    settings = CONTROLLED

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests

    async def act(self, scene: Scene) -> None:
        async with commands(scene) as control:
            victim = scene.rng.choice(scene.fleet.running)
            issued = await deploy(scene, control, SLOW_TO_LOAD)
            await scene.lasting(scene.rng.uniform(0.1, 0.6))
            scene.notes["before"] = all(SLOW_TO_LOAD not in line["versions"] for line in victim.logged("serving"))
            scene.timeline.mark(f"kill -9 {victim.pid}")
            await victim.die()
            await scene.fleet.start()
            scene.notes["agreed"] = len(await agreed(scene, control, issued.offset))
            await scene.answered(100)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("before"), "the worker had switched before it was killed")
        seen(int(SLOW_TO_LOAD) in versions(evidence), f"versions {sorted(versions(evidence))} have answered")
        seen(scene.notes.get("agreed", 0) >= self.workers, "the workers do not agree")
        return f"killed before it served the version; {scene.notes['agreed']} workers agree"


class ControlUnreachable(Fault):
    """No request that names the control topic arrives; all others do."""

    rank, name = 22, "control topic unreachable"
    settings: Mapping[str, Any] = {**CONTROLLED, "kafka__request_timeout_s": 5.0}

    def __init__(self, seconds: float = 40.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def act(self, scene: Scene) -> None:
        async with commands(scene) as control:
            await agreed(scene, control, (await deploy(scene, control, "2")).offset)
            topic = f"{scene.lane.group}-control".encode()
            scene.cluster.proxy.weather.swallowed = lambda frame: topic in frame.raw
            scene.timeline.mark("the control topic is out of reach")
            await scene.lasting(self.seconds)
            scene.notes["lag_s"] = await scene.fleet.metric("penstock_control_lag_seconds")
            scene.notes["said"] = [(await fetch(f"{worker.url()}/health/ready")) for worker in scene.fleet.running]
            await scene.answered(50)
            scene.cluster.proxy.heal()
            scene.cluster.proxy.cut()
            scene.timeline.mark("the control topic is back")
            issued = await deploy(scene, control, "3")
            await agreed(scene, control, issued.offset)
            await scene.answered(100)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        lag_s = scene.notes.get("lag_s", 0.0) / self.workers
        seen(lag_s > _STALE_S, f"the workers knew of the last {lag_s:.1f} s")
        said = scene.notes.get("said", [])
        seen(said and all(status != 200 for status, _ in said), f"readiness says {said}")
        seen(versions(evidence) >= {2, 3}, f"versions {sorted(versions(evidence))} have answered")
        return f"control was {lag_s:.0f} s behind, readiness said so, and version 2 went on until it was back"


class CommandsReordered(Fault):
    """Commands are written again, twice each, and in the wrong order."""

    rank, name = 23, "control commands duplicated and reordered"
    settings = CONTROLLED

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests

    async def act(self, scene: Scene) -> None:
        options = {"bootstrap_servers": scene.cluster.bootstrap}
        async with commands(scene) as control:
            issued = [await deploy(scene, control, version) for version in ONNX[1:4]]
            again = [each.command for each in issued for _ in range(2)]
            scene.rng.shuffle(again)
            scene.timeline.mark(f"{len(again)} commands once more")
            for command in again:
                offset = await append(
                    options,
                    f"{scene.lane.group}-control",
                    key=f"deployment/{MODEL}".encode(),
                    value=command.encode(),
                    timeout_s=30,
                )
            await agreed(scene, control, offset)
            scene.notes["serving"] = await _serving(scene)
            await scene.answered(100)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        refused = len(scene.fleet.logged("command refused", code="OUT_OF_SEQUENCE"))
        seen(refused >= 6 * self.workers, f"{refused} commands refused by {self.workers} workers")
        seen(scene.notes.get("serving") == {"4"}, f"{scene.notes.get('serving')} serve")
        return f"{refused} commands refused, version 4 serves"


async def _serving(scene: Scene) -> set[str]:
    """Return the versions that the workers' metrics say are serving."""
    pages = await asyncio.gather(*(fetch(f"{worker.url()}/metrics") for worker in scene.fleet.running))
    lines = [line for _, text in pages for line in text.splitlines() if line.startswith("penstock_model_serving{")]
    return {line.partition('version="')[2].partition('"')[0] for line in lines if float(line.rpartition(" ")[2]) > 0}
