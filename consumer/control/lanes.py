"""Lanes: which request topics are read, how far, and with which weights."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.consumer.control.partitions import Partitions
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.control.specs import Lane
from penstock.schemas.logger import Logger
from penstock.schemas.record import Record

log = Logger(__name__)

_ASK_S: Final = 1.0  # for the ends of partitions, and between two attempts
_FAULTS: Final = (kafka_errors.KafkaError, kafka_errors.IllegalStateError, TimeoutError, AssertionError)


class Lanes:
    """Follows what is commanded of request topics; one that no command names is read.

    A lane that drains is read up to where it ended when the command came, or when the partition did, and no further.

    Args:
        consumer: the group's member.
        partitions: those that are open.
    """

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Partitions) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._lanes: dict[str, Lane] = {}
        self._ends: dict[TopicPartition, int] = {}  # of lanes that drain
        self._reached: dict[TopicPartition, PartitionProgress] = {}  # of which assignment
        self._ask_at = 0.0  # monotonic seconds

    def __repr__(self) -> str:
        return f"<Lanes {self.report()}>"

    @property
    def active(self) -> bool:
        """Whether anything is commanded."""
        return bool(self._lanes)

    @property
    def weights(self) -> dict[str, int]:
        """The weights that are not 1."""
        return {topic: lane.weight for topic, lane in self._lanes.items() if lane.weight != 1}

    def apply(self, lanes: Mapping[str, Lane]) -> None:
        """Follow these commands from now on, and no other."""
        self._lanes = dict(lanes)
        draining = {topic for topic, lane in lanes.items() if lane.state == "draining"}
        self._ends = {place: end for place, end in self._ends.items() if place.topic in draining}
        self._reached = {place: progress for place, progress in self._reached.items() if place in self._ends}

    def stopped(self) -> set[TopicPartition]:
        """Return the open partitions that are not to be read."""
        found: set[TopicPartition] = set()
        for topic, places in self._partitions.by_topic().items():
            state = self._state(topic)
            if state == "paused":
                found |= places.keys()
            elif state == "draining":
                found |= {each for each, progress in places.items() if not self._is_read(each, progress)}
        return found

    async def look(self) -> None:
        """Find out where lanes that drain end, and whether they have come there."""
        draining = {
            place: progress
            for topic, places in self._partitions.by_topic().items()
            if self._state(topic) == "draining"
            for place, progress in places.items()
        }
        unknown = [place for place in draining if place not in self._ends]
        if unknown and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + _ASK_S
            try:
                async with asyncio.timeout(_ASK_S):
                    self._ends |= await self._consumer.end_offsets(unknown)
            except _FAULTS as error:
                log.warning("the end of a draining lane is not known yet; trying again", error=repr(error))
        for place, progress in draining.items():
            if self._is_read(place, progress) and await self._is_at_end(place, progress):
                self._reached[place] = progress

    def count_within(self, place: TopicPartition, records: Sequence[Record]) -> int:
        """Return how many of the first records of a partition lie before the end of a lane that drains."""
        end = self._ends.get(place)
        return len(records) if end is None else sum(record.offset < end for record in records)

    def report(self) -> dict[str, str]:
        """Return what each lane that is not running does: paused, draining or drained."""
        open_ = self._partitions.by_topic()
        found: dict[str, str] = {}
        for topic, lane in self._lanes.items():
            if lane.state == "running":
                continue
            places = open_.get(topic, {})
            done = all(self._reached.get(each) is progress and progress.idle for each, progress in places.items())
            found[topic] = "drained" if lane.state == "draining" and done else lane.state
        return found

    async def _is_at_end(self, place: TopicPartition, progress: PartitionProgress) -> bool:
        """Tell whether all is taken in; the last offsets may be no records, but marks of transactions."""
        end = self._ends[place]
        if progress.position is not None and progress.position >= end:
            return True
        with contextlib.suppress(*_FAULTS):
            async with asyncio.timeout(_ASK_S):
                return bool(await self._consumer.position(place) >= end)
        return False

    def _is_read(self, place: TopicPartition, progress: PartitionProgress) -> bool:
        """Tell whether a partition of a lane that drains has more before its end."""
        return place in self._ends and self._reached.get(place) is not progress

    def _state(self, topic: str) -> str:
        lane = self._lanes.get(topic)
        return "running" if lane is None else lane.state
