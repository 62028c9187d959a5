"""One fault, from fresh topics to the verdict."""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import oracle
from tests.chaos.administration import drop_lane, new_lane
from tests.chaos.cluster import FaultyCluster
from tests.chaos.evidence import collect
from tests.chaos.faults.fault import Fault
from tests.chaos.fleet import Fleet
from tests.chaos.generator import Generator
from tests.chaos.oracle import Delivery
from tests.chaos.readers import LiveReader
from tests.chaos.scene import Scene
from tests.chaos.timeline import TimeLine
from tests.support.waiting import until

SESSION_S: Final = 5.0
_WARM: Final = 100  # outcomes before the fault
_AFTER_S: Final = 2.0
_SETTLED_S: Final = 30.0
_MOST_GROWTH: Final = 384 * 2**20  # bytes of the workers' memory, over what they had before


@dataclass
class Verdict:
    """What came of a fault.

    Attributes:
        fault: which.
        findings: what was wrong; nothing where all held.
        effect: what the fault did.
        requests, doubles, aborted: counts.
        took_s: all of it.
        timeline: of the run, for a picture.
        logs: the folder of the workers' logs.
    """

    fault: Fault
    findings: list[str] = field(default_factory=list)
    effect: str = ""
    requests: int = 0
    doubles: int = 0
    aborted: int = 0
    took_s: float = 0.0
    timeline: TimeLine | None = None
    logs: Path = Path()

    def __str__(self) -> str:
        counts = f"{self.requests:,} requests, {self.doubles:,} doubles, {self.aborted:,} aborted attempts"
        said = f"{self.fault!r}: {counts}, {self.took_s:.0f} s; {self.effect}"
        return said if not self.findings else "\n      - ".join([f"{said}; logs in {self.logs}", *self.findings])


async def attempt(
    cluster: FaultyCluster,
    fault: Fault,
    models: Path,
    *,
    delivery: Delivery = "at-least-once",
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Verdict:
    """Do one fault to a fresh service, and return the verdict.

    Args:
        cluster: whole; it is whole again afterwards.
        fault: what is done.
        models: the repository.
        delivery: of the workers.
        seed: of all that the fault draws.
        say: gets the events.
    """
    verdict, start = Verdict(fault), time.monotonic()
    verdict.logs = Path(tempfile.mkdtemp(prefix=f"penstock-chaos-{fault.rank}-"))
    try:
        async with _playing(cluster, fault, models, delivery, seed, say, verdict) as scene:
            await _act(scene, fault, verdict)
            verdict.findings += await _wind_up(scene, fault)
            evidence = await collect(scene, ordered=fault.ordered)
        verdict.requests, verdict.doubles = len(evidence.log), oracle.doubles(evidence)
        verdict.aborted = oracle.aborted(evidence)
        verdict.findings += oracle.examine(evidence)
        verdict.effect = await fault.effect(scene, evidence)
    except Exception as error:  # whatever it is: the faults after this one are to have their turn
        verdict.findings.append(f"{type(error).__name__}: {error}")
    finally:
        verdict.took_s = time.monotonic() - start
    if not verdict.findings:
        await asyncio.to_thread(shutil.rmtree, verdict.logs, ignore_errors=True)
    return verdict


@asynccontextmanager
async def _playing(
    cluster: FaultyCluster,
    fault: Fault,
    models: Path,
    delivery: Delivery,
    seed: int,
    say: Callable[[str], None],
    verdict: Verdict,
) -> AsyncIterator[Scene]:
    """Make the topics, and the workers, generator and reader; none of them is left behind."""
    layout = fault.layout
    lane = await new_lane(cluster, f"fault-{fault.rank}", layout.partitions, fault.request_copies)
    settings: dict[str, Any] = {"worker__session_timeout_s": SESSION_S, **fault.settings}
    if delivery != "at-least-once":
        settings["worker__delivery"] = delivery
    fleet = Fleet(lane, models, verdict.logs, settings, fault.environment)
    generator = Generator(cluster.bootstrap, lane.requests, layout, fault.rate)
    topics = {lane.replies: layout.partitions, lane.dead_letters: layout.partitions}
    reader = LiveReader(cluster.bootstrap, topics)
    timeline = TimeLine(say, lambda: (generator.acknowledged, len(reader.answered), fleet.memory()))
    verdict.timeline = timeline
    scene = Scene(cluster, lane, models, fleet, generator, reader, timeline, delivery, random.Random(seed))
    try:
        await fault.prepare(scene)
        await fleet.start(fault.workers)
        reader.start()
        generator.start()
        async with timeline:
            yield scene
    finally:
        await fleet.kill()
        for thread in (generator, reader):
            await asyncio.to_thread(thread.end)
        await drop_lane(cluster, lane)


async def _act(scene: Scene, fault: Fault, verdict: Verdict) -> None:
    """Let it flow, do it, and mend what it broke."""
    await scene.answered(_WARM)
    try:
        async with asyncio.timeout(fault.limit_s):
            await fault.act(scene)
    except Exception as error:
        verdict.findings.append(f"the fault itself failed: {type(error).__name__}: {error}")
    await scene.cluster.heal()
    if not scene.fleet.running:
        await scene.fleet.start()
    scene.timeline.mark("healed")


async def _wind_up(scene: Scene, fault: Fault) -> list[str]:
    """Send the rest, wait for the last outcomes, and stop everybody in good order. Returns: what was wrong."""
    generator, findings = scene.generator, list[str]()
    await scene.lasting(_AFTER_S)
    await until(lambda: generator.count >= fault.requests, within_s=600, every_s=0.2, what="enough requests")
    await asyncio.to_thread(generator.stop)
    scene.timeline.mark(f"nothing is asked any more, {len(scene.generator.placed):,} requests")
    try:
        await scene.caught_up(fault.recover_s)
        scene.timeline.mark("everything is answered")
        await until(lambda: _at_end(scene), within_s=_SETTLED_S, every_s=0.5, what="the group at the end")
    except AssertionError as error:
        findings.append(f"the lag did not recover: {error}")
    if fault.spreads_memory:
        before, most = scene.timeline.most_memory()
        if most - before > _MOST_GROWTH:
            findings.append(f"the workers' memory grew from {before / 2**20:.0f} to {most / 2**20:.0f} MiB")
    findings += await scene.fleet.stop()
    scene.timeline.mark("every worker has ended")
    return findings


async def _at_end(scene: Scene) -> bool:
    """Tell whether the group has committed as many requests as Kafka has taken."""
    return await scene.committed() >= scene.in_log
