"""Steering: how throttles and lanes change what the fetch loop does. While nothing is commanded it is not asked.

A gate that opens within a second is waited for. One that stays shut for longer, and a lane that is not read, is
paused: that throws away what the client has fetched ahead, but polling goes on, so that the group does not take the
worker for dead.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from penstock.consumer.assembly import RequestChunk
from penstock.consumer.block import RequestBlock
from penstock.consumer.control.lanes import Lanes
from penstock.consumer.control.limit import Limit
from penstock.consumer.control.partitions import Partitions
from penstock.consumer.control.throttling import Throttling
from penstock.consumer.spans import Span
from penstock.core.turns import WeightedTurns

_LONG_S: Final = 1.0
_TURN: Final = 256  # records of a lane before another may have its turn
_TICK_S: Final = 0.005  # the loop looks no more often than this


class Steering:
    """Decides which partitions are read next, and for how many records.

    Args:
        consumer: the group's member.
        partitions: those that are open.
        throttling, lanes: what is commanded.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: Partitions, throttling: Throttling, lanes: Lanes
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self.throttling = throttling
        self.lanes = lanes
        self._turns = WeightedTurns()

    def __repr__(self) -> str:
        return f"<Steering {self.throttling!r} {self.lanes!r}>"

    @property
    def active(self) -> bool:
        """Whether anything is commanded, or still has to be brought to an end."""
        return self.lanes.active or self.throttling.active

    def stopped(self) -> set[TopicPartition]:
        """Return the open partitions that are to be paused."""
        found, now = self.lanes.stopped(), time.monotonic()
        for topic, places in self._partitions.by_topic().items():
            if self._opens_at(topic, now) - now > _LONG_S:
                found |= places.keys()
        return found

    async def fetch(self, most: int, wait_s: float) -> dict[TopicPartition, Any]:
        """Fetch records of the partitions whose turn it is.

        Args:
            most: the most records.
            wait_s: how long they may take to come; less when held requests are due earlier.
        """
        if self.active:
            fetched = await self._fetch(most, wait_s)
        else:
            fetched = await self._getmany([], most, wait_s)
        return self._put_back(fetched) if fetched and self.active else fetched  # a command may have come meanwhile

    async def _fetch(self, most: int, wait_s: float) -> dict[TopicPartition, Any]:
        now = time.monotonic()
        wait_s = min(wait_s, max(self.throttling.next_due() - now, _TICK_S))
        stopped = self.lanes.stopped()
        asked = {
            topic: found
            for topic, places in self._partitions.by_topic().items()
            if (found := [place for place in places if place not in stopped])
        }
        most = int(min(most, self._room(None, now)))
        rooms = {topic: room for topic in asked if (room := int(min(most, self._room(topic, now)))) > 0}
        if not rooms:
            return await self._wait(asked, stopped, wait_s, now)
        if len(rooms) > 1 and (self.lanes.active or min(rooms.values()) < most):
            return await self._fetch_in_turn({topic: asked[topic] for topic in rooms}, rooms, wait_s)
        places = [place for topic in rooms for place in asked[topic]]
        return await self._getmany(places, min(rooms.values()), wait_s)

    def _put_back(self, fetched: dict[TopicPartition, Any]) -> dict[TopicPartition, Any]:
        """Leave out what is over a gate or beyond the end of a lane; it will be fetched again."""
        now, kept, rooms = time.monotonic(), dict[TopicPartition, Any](), dict[str | None, float]()
        stopped = self.lanes.stopped()
        for place, records in fetched.items():
            gates = None, place.topic
            for gate in gates:
                rooms.setdefault(gate, self._room(gate, now))
            room = 0 if place in stopped else min(len(records), *(rooms[gate] for gate in gates))
            count = self.lanes.count_within(place, records[: int(room)])
            for gate in gates:
                rooms[gate] -= count
            if count:
                kept[place] = records[:count]
            if count < len(records) and place in self._consumer.assignment():
                self._consumer.seek(place, records[count].offset)
        return kept

    def charge(self, spans: Sequence[Span], chunks: Sequence[RequestChunk]) -> None:
        """Count the rows that the requests of a step turned out to have; each was taken for one."""
        further: dict[int, int] = {}  # the record's identity: rows beyond the first
        for chunk in chunks:
            if not isinstance(chunk.requests, RequestBlock):
                further |= {id(each.record): each.rows - 1 for each in chunk.requests if each.rows > 1}
            elif chunk.requests.rows is not None:
                counted = zip(chunk.requests.records, chunk.requests.rows, strict=True)
                further |= {id(record): rows - 1 for record, rows in counted if rows > 1}
        weights = self.lanes.weights
        for span in spans:
            if span.envelope.error is not None:  # it was not asked of any throttle
                continue
            more = sum(further.get(id(record), 0) for record in span.records) if further else 0
            self.throttling.charge(span, len(span.records) + more)
            self._turns.took(span.progress.place.topic, more, weights)

    async def _wait(
        self, asked: dict[str, list[TopicPartition]], stopped: set[TopicPartition], wait_s: float, now: float
    ) -> dict[TopicPartition, Any]:
        """Wait while every gate is shut; of what is paused nothing comes, but asking for it keeps the membership."""
        opens_at = min((self._opens_at(topic, now) for topic in asked), default=math.inf)
        wait_s = min(wait_s, max(opens_at - now, _TICK_S))
        paused = self._consumer.paused()
        if not asked and not stopped:
            return await self._getmany([], 1, wait_s)
        if paused:
            return await self._getmany(list(paused), 1, wait_s)
        await asyncio.sleep(wait_s)
        return {}

    async def _fetch_in_turn(
        self, asked: dict[str, list[TopicPartition]], rooms: dict[str, int], wait_s: float
    ) -> dict[TopicPartition, Any]:
        """Fetch of the lane that is next by its weight; of any when nothing is there yet."""
        busy = {topic for topic in asked if self._partitions.lag(topic)}
        fetched: dict[TopicPartition, Any] = {}
        for topic in self._turns.order(asked.keys(), busy):
            fetched = await self._getmany(asked[topic], min(_TURN, rooms[topic]), 0.0)
            if fetched:
                break
        else:
            places = [place for each in asked.values() for place in each]
            fetched = await self._getmany(places, min(_TURN, *rooms.values()), wait_s)
        weights = self.lanes.weights
        for place, records in fetched.items():
            self._turns.took(place.topic, len(records), weights)
        return fetched

    async def _getmany(self, places: list[TopicPartition], most: int, wait_s: float) -> dict[TopicPartition, Any]:
        fetched: dict[TopicPartition, Any] = await self._consumer.getmany(
            *places, timeout_ms=math.ceil(wait_s * 1000), max_records=max(1, most)
        )
        return fetched

    def _room(self, topic: str | None, now: float) -> float:
        """Return how many more requests may be fetched of a lane, or of all where none is named."""
        return min((limit.room(now) for limit in self.throttling.gates_of(topic)), default=math.inf)

    def _opens_at(self, topic: str, now: float) -> float:
        """Return when requests of a lane may be fetched again, monotonic seconds; infinity when never."""
        limits: list[Limit] = [*self.throttling.gates_of(None), *self.throttling.gates_of(topic)]
        return max((limit.bucket.next_due(now) for limit in limits), default=now)
