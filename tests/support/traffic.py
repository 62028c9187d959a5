"""A steady stream of requests with keys, and what became of it."""

import asyncio
import time
from collections import defaultdict
from itertools import pairwise
from typing import Any

from aiokafka.errors import KafkaError

from tests.support.lane import PARTITIONS, Lane
from tests.support.messages import source_of

_TICK_S = 0.01


def numbered(number: int, delay_s: float = 0.0) -> bytes:
    """A request for the doubler, fast to make."""
    return b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[%d,0,%g]}]}' % (number, delay_s)


class Traffic:
    """Sends requests at a rate while its block lasts, to every partition of a lane.

    Args:
        lane: whose request topic gets them.
        rate: requests a second.
        keys: different keys on each partition.
        delay_s: what the model is to take for a batch.

    Attributes:
        sent: `penstock-source` -> key and number of each request that Kafka has acknowledged.
    """

    def __init__(self, lane: Lane, rate: int, *, keys: int = 100, delay_s: float = 0.0) -> None:
        self._lane = lane
        self._rate = rate
        self._keys = keys
        self._delay_s = delay_s
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.count = 0
        self.sent: dict[str, tuple[bytes, int]] = {}

    async def __aenter__(self) -> "Traffic":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        assert self._task is not None
        await self._task

    async def _run(self) -> None:
        start = time.monotonic()
        async with self._lane.producer(linger_ms=2) as producer:
            pending: list[tuple[bytes, int, Any]] = []
            while not self._stop.is_set():
                due = int((time.monotonic() - start) * self._rate)
                # A stalled machine is not made up for at once: a burst would be another test.
                for _ in range(min(due - self.count, self._rate // 10)):
                    number, self.count = self.count, self.count + 1
                    partition = number % PARTITIONS
                    key = b"%d-%d" % (partition, number // PARTITIONS % self._keys)
                    value = numbered(number, self._delay_s)
                    future = await producer.send(self._lane.requests, value, key=key, partition=partition)
                    pending.append((key, number, future))
                await asyncio.sleep(_TICK_S)
            for key, number, future in pending:
                try:
                    place = await future
                except KafkaError:  # with the broker away the fate of a request is open; only what was taken counts
                    continue
                self.sent[f"{place.topic}/{place.partition}/{place.offset}"] = (key, number)

    async def lasting(self, seconds: float) -> None:
        """Let it flow until so many seconds' worth has been sent."""
        goal = self.count + int(seconds * self._rate)
        while self.count < goal:
            assert self._task is not None
            if self._task.done():
                self._task.result()
            await asyncio.sleep(_TICK_S)

    async def answers(self, within_s: float = 30.0) -> list[Any]:
        """The replies, once every request has one; to be called after the block."""
        return await self._lane.read(enough=EveryAnswer(len(self.sent)), within_s=within_s)


class EveryAnswer:
    """Tells whether replies answer so many different requests; looks at each reply once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._looked_at = 0
        self._sources: set[str] = set()

    def __call__(self, found: list[Any]) -> bool:
        self._sources.update(source_of(record) for record in found[self._looked_at :])
        self._looked_at = len(found)
        return len(self._sources) >= self._count


def longest_gaps(replies: list[Any]) -> dict[int, float]:
    """For each reply partition, the longest time without a reply between its first and its last, in seconds."""
    times: dict[int, list[int]] = defaultdict(list)
    for record in replies:
        times[record.partition].append(record.timestamp)
    gaps: dict[int, float] = {}
    for partition, stamps in times.items():
        stamps.sort()
        gaps[partition] = max(later - sooner for sooner, later in pairwise(stamps)) / 1000
    return gaps
