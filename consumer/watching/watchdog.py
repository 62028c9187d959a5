"""The watchdog: parts that stand still although Kafka answers and there is work.

aiokafka has been seen to stop without a word: a fetcher that brings nothing more, a commit that never ends, a member
that does not come back into the group (its issues 625, 847, 1037, 1154, 1187). What stands still is told, counted and
begun anew: first the fetch of that partition, then the whole pipeline. While no broker answers nothing is judged: there
is nothing to be had, and the parts come back by themselves.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.consumer.progress import PartitionProgress
from penstock.consumer.watching.stillness import Stillness
from penstock.core.metrics import Metrics
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_LOOKS: Final = 6  # within the time after which a part is taken for stalled
_AT_ONCE_S: Final = 0.5
_MEMBERSHIP: Final = "membership"
_COMMITTING: Final = "committing"
_READING: Final = "reading"

Partitions = Mapping[TopicPartition, PartitionProgress]


class StalledError(TransportError):
    """A part of the pipeline stands still; another pipeline has to take its place."""


class Watchdog:
    """Looks at the open partitions of one pipeline from time to time.

    Args:
        consumer: the group's member.
        opened: returns the open partitions; None while the group has assigned none.
        has_room: tells whether what is fetched would be taken in now.
        topic: one that is read, to ask Kafka for where no partition is open.
        metrics: where stalls are counted.
        limit_s: after which a part that should move is taken for stalled. A group may rebalance for longer than
            that; its limit is that and `rebalance_s`.
        rebalance_s: how long the group waits for its slowest member.
    """

    def __init__(
        self,
        *,
        consumer: AIOKafkaConsumer,
        opened: Callable[[], Partitions | None],
        has_room: Callable[[], bool],
        topic: str,
        metrics: Metrics,
        limit_s: float,
        rebalance_s: float,
    ) -> None:
        self._consumer = consumer
        self._opened = opened
        self._has_room = has_room
        self._topic = topic
        self._metrics = metrics
        self._limit_s = limit_s
        self._rebalance_s = rebalance_s
        self._stillness = Stillness()
        self._begun_anew: dict[TopicPartition, int] = {}  # where the fetch of a partition was begun anew

    def __repr__(self) -> str:
        return f"<Watchdog {self._stillness!r}>"

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            StalledError: only another pipeline can help.
        """
        while True:
            await asyncio.sleep(self._limit_s / _LOOKS)
            await self.look()

    async def look(self) -> None:
        """Look once.

        Raises:
            StalledError: as `run`.
        """
        opened = self._opened()
        ends = await self._ends(opened or {})
        now = time.monotonic()
        if ends is None:
            self._stillness.forget_all()
            return
        gone_s = self._stillness.see(_MEMBERSHIP, None, now, should_move=opened is None)
        if gone_s > self._limit_s + self._rebalance_s:
            raise self._stalled(_MEMBERSHIP, f"the group has assigned nothing for {gone_s:.0f} s, and Kafka answers")
        for place, progress in (opened or {}).items():
            self._look_at_commits(place, progress, now)
            await self._look_at_reading(place, progress, ends.get(place, 0))

    async def _ends(self, opened: Partitions) -> dict[TopicPartition, int] | None:
        """Return where partitions end; None when Kafka does not answer."""
        places = list(opened) or [TopicPartition(self._topic, 0)]
        try:
            async with asyncio.timeout(self._limit_s / 2):
                ends: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
        except (kafka_errors.KafkaError, TimeoutError, OSError):
            return None
        return ends

    def _look_at_commits(self, place: TopicPartition, progress: PartitionProgress, now: float) -> None:
        due = progress.to_commit() is not None
        still_s = self._stillness.see((_COMMITTING, place), (progress, progress.committed_state), now, should_move=due)
        if still_s > self._limit_s and not progress.closed:
            why = f"what is finished of {_named(place)} was not committed for {still_s:.0f} s, and Kafka answers"
            raise self._stalled(_COMMITTING, why)

    async def _look_at_reading(self, place: TopicPartition, progress: PartitionProgress, end: int) -> None:
        """Compare where the client is with where the partition ends, and let a fetch that brings nothing begin anew.

        The client's own position is past what is no request: markers of transactions, and what they took back.
        """
        position = await self._position(place)
        now = time.monotonic()
        behind = position is not None and position < end and place not in self._consumer.paused()
        still_s = self._stillness.see(
            (_READING, place), (progress, position), now, should_move=behind and self._has_room()
        )
        if self._begun_anew.get(place, position) != position:
            del self._begun_anew[place]
        if still_s <= self._limit_s or position is None or progress.closed or place not in self._consumer.assignment():
            return
        why = f"nothing was read of {_named(place)} from offset {position} on for {still_s:.0f} s, and there is more"
        if place in self._begun_anew:
            raise self._stalled(_READING, why)
        self._metrics.stalls.labels(_READING).inc()
        log.error("reading stands still; the fetch begins anew", why=why)
        self._begun_anew[place] = position
        self._stillness.forget((_READING, place))
        self._consumer.seek(place, position)

    async def _position(self, place: TopicPartition) -> int | None:
        """Return which offset the client would bring next; None when it does not know."""
        try:
            async with asyncio.timeout(_AT_ONCE_S):
                position: int = await self._consumer.position(place)
        except (kafka_errors.KafkaError, TimeoutError):
            return None
        return position

    def _stalled(self, part: str, why: str) -> StalledError:
        self._metrics.stalls.labels(part).inc()
        return StalledError(why)


def _named(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
