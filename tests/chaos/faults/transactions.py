"""Faults of transactions, under exactly-once: ends that are cut short, come late, or never come."""

import struct

from tests.chaos import oracle
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.fleet import sent_by
from tests.chaos.frames import Kind
from tests.chaos.oracle import Delivery, Evidence
from tests.chaos.requests import Layout, Outcome, Special
from tests.chaos.scene import Scene

_WIDE_ROWS = 8000
_TOPIC_BYTES = 40_000
_WIDE_EVERY = 150  # a refusal takes a new producer: they are to be rare


class KillAtEnd(Fault):
    """The order to end a transaction is on its way when its worker dies; it arrives, or it does not."""

    rank, name = 4, "kill while a transaction ends, before its markers"
    only: Delivery | None = "exactly-once"

    def __init__(self, times: int = 4, requests: int = 0, rate: float = 400.0) -> None:
        self.times, self.requests, self.rate = times, requests, rate
        self.limit_s = 60.0 * times

    async def act(self, scene: Scene) -> None:
        proxy = scene.cluster.proxy
        for turn in range(self.times):
            victim = scene.rng.choice(scene.fleet.running)
            proxy.weather.held = sent_by(victim, Kind.END_TXN)
            await proxy.until_held()
            await victim.die()
            proxy.weather.held = None
            arrives = turn % 2 == 0
            scene.timeline.mark(f"kill -9 {victim.pid}; its end of a transaction {'arrives' if arrives else 'is lost'}")
            scene.notes["held"] = scene.notes.get("held", 0) + len(proxy.held)
            proxy.release() if arrives else proxy.drop_held()
            await scene.fleet.start()
            await scene.answered(50)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("held", 0) >= self.times, "no transaction was ending")
        seen(count := oracle.aborted(evidence), "no attempt was aborted")
        return f"{scene.notes['held']} ends caught, {count} attempts aborted"


class LateEnd(Fault):
    """An end of a transaction is delivered when the next one has begun (KAFKA-17754)."""

    rank, name = 5, "delayed end of a transaction, after the next began"
    only: Delivery | None = "exactly-once"

    def __init__(self, times: int = 3, requests: int = 0) -> None:
        self.times, self.requests = times, requests

    async def act(self, scene: Scene) -> None:
        proxy = scene.cluster.proxy
        for _ in range(self.times):
            proxy.weather.held = lambda frame: frame.kind == Kind.END_TXN and not proxy.held
            await proxy.until_held()
            proxy.weather.held = None
            scene.timeline.mark("an end of a transaction is held back, its connection cut")
            await scene.answered(100)
            await scene.lasting(scene.rng.uniform(0.0, 1.0))
            scene.notes["late"] = scene.notes.get("late", 0) + proxy.release()
            scene.timeline.mark("and is delivered")
            await scene.answered(100)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("late") == self.times, f"{scene.notes.get('late')} ends were delivered late")
        return f"{self.times} ends delivered late, {oracle.aborted(evidence)} attempts aborted"


class SendFails(Fault):
    """Some replies are larger than their topic takes, in the middle of good ones."""

    rank, name = 6, "a send that fails, inside a transaction where there are any"
    rate = 200.0

    def __init__(self, seconds: float = 4.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def prepare(self, scene: Scene) -> None:
        await scene.configure(scene.lane.replies, {"max.message.bytes": str(_TOPIC_BYTES)})

    async def act(self, scene: Scene) -> None:
        start = scene.generator.count + int(self.rate)
        stop = start + int(self.rate * self.seconds)
        scene.generator.layout = Layout(special=lambda number: _wide(number, start, stop))
        scene.timeline.mark("some replies are too large for their topic")
        await scene.lasting(self.seconds + 2.0)
        await scene.caught_up(60, behind=int(self.rate))

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        refused = evidence.committed.code.count("REPLY_TOO_LARGE")
        seen(refused, "no reply was refused")
        return f"{refused} replies refused by Kafka and told so, {oracle.aborted(evidence)} attempts aborted"


class TransactionTimeout(Fault):
    """A worker is held still in the middle of a transaction, for longer than the coordinator lets one be open."""

    rank, name = 13, "transaction timeout"
    only: Delivery | None = "exactly-once"
    limit_s = 240.0

    def __init__(self, seconds: float = 25.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def act(self, scene: Scene) -> None:
        proxy = scene.cluster.proxy
        victim = scene.rng.choice(scene.fleet.running)
        proxy.weather.swallowed = sent_by(victim, Kind.END_TXN)
        await proxy.until_swallowed()
        victim.suspend()
        scene.timeline.mark(f"SIGSTOP {victim.pid} in the middle of a transaction")
        await scene.lasting(self.seconds)
        proxy.weather.swallowed = None
        victim.resume()
        scene.timeline.mark(f"SIGCONT {victim.pid}")
        await scene.answered(100)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(count := oracle.aborted(evidence), "no attempt was aborted")
        return f"{count} attempts aborted"


def _wide(number: int, start: int, stop: int) -> Special | None:
    """Say which requests have a reply that is too large: of many rows."""
    if not (start <= number < stop and number % _WIDE_EVERY == 0):
        return None
    return Special((), Outcome.ERROR, struct.pack("<d", float(number)) * _WIDE_ROWS)
