"""What a fault may touch: the cluster and its network, a lane of its own, its workers, and its traffic."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos.administration import Administration
from tests.chaos.fleet import Fleet
from tests.chaos.generator import Generator
from tests.chaos.oracle import Delivery
from tests.chaos.readers import LiveReader
from tests.chaos.timeline import TimeLine
from tests.support.waiting import until

_READ_ON_S: Final = 10.0


@dataclass
class Scene(Administration):
    """Everything of one run.

    Attributes:
        taken: numbers of requests that the fault itself takes away: they need no outcome.
        cut: partition of the request topic -> the first offset that the fault has left there.
        forgotten: numbers of requests that Kafka has lost after they were answered; others have their offsets now.
        notes: the fault's own: what it saw while it acted.
    """

    models: Path
    fleet: Fleet
    generator: Generator
    reader: LiveReader
    timeline: TimeLine
    delivery: Delivery
    rng: random.Random
    taken: set[int] = field(default_factory=set)
    cut: dict[int, int] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    notes: dict[str, Any] = field(default_factory=dict)

    async def lasting(self, seconds: float) -> None:
        """Let it flow for a while."""
        await asyncio.sleep(seconds)

    async def answered(self, more: int, within_s: float = 60.0) -> None:
        """Wait for so many more outcomes."""
        goal = len(self.reader.answered) + more
        await until(lambda: len(self.reader.answered) >= goal, within_s=within_s, every_s=0.05, what=f"{more} outcomes")

    async def caught_up(self, within_s: float = 60.0, behind: int = 0) -> None:
        """Wait until every request that Kafka has taken has its outcome, but for so many."""

        def level() -> bool:
            return len(self.reader.answered) >= self.in_log - behind - len(self.taken)

        await until(level, within_s=within_s, every_s=0.1, what=self.standing)

    @property
    def in_log(self) -> int:
        """How many requests Kafka has taken and not lost again."""
        return self.generator.acknowledged - len(self.forgotten)

    async def read_on(self, count: int) -> None:
        """Let the reader see as many outcomes as there are, if it does soon, and stop it."""
        with contextlib.suppress(AssertionError):  # what it has not seen is a finding
            await until(lambda: len(self.reader.seen) >= count, within_s=_READ_ON_S, what="the reader at the end")
        await asyncio.to_thread(self.reader.stop)

    def standing(self) -> str:
        """Say how far it is."""
        return f"{self.generator.acknowledged:,} requests taken, {len(self.reader.answered):,} with an outcome"
