"""Reading dead-letter topics: which letters lie there, and which of them have been sent again."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiokafka.structs import TopicPartition

from penstock.schemas.dead_letters.letter import DeadLetter, read_dead_letter
from penstock.schemas.dead_letters.mark import Runs, read_mark
from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.control.partition_reader import PartitionReader
from penstock.transport.offsets import Place

_CONNECT_S: Final = 15.0
_SLICE_S: Final = 0.1
_STALL_S: Final = 60.0  # twice as long as the transaction of a redrive that was killed stays open

# What a record of a dead-letter topic is: a letter, the runs that a mark names, or nothing of ours.
Entry = DeadLetter | Runs | None


@dataclass(slots=True)
class LetterPartition:
    """What one partition of a dead-letter topic holds.

    Attributes:
        place: topic and partition.
        letters: without keys, values and headers of the requests, in order.
        redriven: offsets of the letters that have been sent again; others may be among them.
        strays: how many records are neither letters nor marks.
    """

    place: TopicPartition
    letters: list[DeadLetter] = field(default_factory=list)
    redriven: set[int] = field(default_factory=set)
    strays: int = 0


class LetterReader(PartitionReader[Entry]):
    """Reads one partition of a dead-letter topic, committed records only.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        place: topic and partition; the topic is there: naming it may create it.
        whole: letters keep what they hold of the request, its value too.
    """

    def __init__(self, client_options: dict[str, Any], place: TopicPartition, *, whole: bool) -> None:
        super().__init__(client_options, place.topic, _whole(place) if whole else _bare(place))
        self._place = place

    async def __aenter__(self) -> "LetterReader":
        try:
            await self.start(_CONNECT_S)
        except BaseException:  # also when it is given up
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def entries(self, start: int, end: int) -> AsyncIterator[Entry]:
        """Yield what lies from `start` to `end`, or a little further.

        Raises:
            TransportError: Kafka does not answer, or a transaction stays open before `end`; or the partition was cut
                while it was read.
        """
        if start >= end:
            return
        self.seek(start)
        patient_until = time.monotonic() + _STALL_S
        while self.position < end:
            before = self.position
            try:
                entries = await self.fetch(_SLICE_S)
            except ConfigurationError as error:
                raise TransportError(
                    f"{self._place.topic}/{self._place.partition} was cut while it was read: try again."
                ) from error
            if self.position > before:
                patient_until = time.monotonic() + _STALL_S
            elif time.monotonic() > patient_until:
                raise TransportError(
                    f"{self._place.topic}/{self._place.partition} cannot be read beyond offset {before}, of {end}.\n"
                    "`penstock doctor` finds out why; somebody's transaction may be open there."
                )
            for entry in entries:
                yield entry


async def letter_places(reader: ClusterReader, topics: Iterable[str]) -> list[TopicPartition]:
    """Return the partitions of dead-letter topics; a topic that is not there has none yet.

    Raises:
        TransportError: no broker answered by the deadline.
    """
    names = list(dict.fromkeys(topics))
    cluster = await reader.describe(names)
    return [place for name in names for place in cluster.topics[name].places]


async def true_end(reader: ClusterReader, place: TopicPartition) -> int:
    """Return where a partition ends, with what lies in transactions that are still open.

    Raises:
        TransportError: its leader did not answer by the deadline.
    """
    cluster = await reader.describe([place.topic])
    found = await reader.offsets(cluster, [place.topic], Place.END)
    if place not in found:
        raise TransportError(f"the end of {place.topic}/{place.partition} could not be found: no answer in time.")
    return found[place].offset


async def read_letters(client_options: dict[str, Any], place: TopicPartition) -> LetterPartition:
    """Read a partition from its beginning to where it ends now.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        place: topic and partition; the topic is there.

    Raises:
        TransportError: it cannot be read.
    """
    found = LetterPartition(place)
    async with LetterReader(client_options, place, whole=False) as reader:
        start, end = await reader.beginning(_CONNECT_S), await reader.end(_CONNECT_S)
        async for entry in reader.entries(start, end):
            if isinstance(entry, DeadLetter):
                found.letters.append(entry)
            elif entry is None:
                found.strays += 1
            else:
                found.redriven.update(offset for run in entry for offset in range(*run))
    return found


async def read_one(
    client_options: dict[str, Any], place: TopicPartition, offset: int
) -> tuple[DeadLetter, bool] | None:
    """Return the dead letter at an offset, and whether it has been sent again; None where there is none of ours.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        place: topic and partition; the topic is there.
        offset: of the dead letter.

    Raises:
        TransportError: the partition cannot be read.
    """
    letter: DeadLetter | None = None
    redriven = False
    async with LetterReader(client_options, place, whole=True) as reader:
        start, end = await reader.beginning(_CONNECT_S), await reader.end(_CONNECT_S)
        if offset < start:
            return None
        async for entry in reader.entries(offset, end):
            if isinstance(entry, DeadLetter):
                letter = entry if entry.at.offset == offset else letter
            elif entry is not None:
                redriven = redriven or any(first <= offset < last for first, last in entry)
            if letter is None:  # what comes first would be it
                return None
    return None if letter is None else (letter, redriven)


def _whole(place: TopicPartition) -> Callable[[int, Any], Entry]:
    def entry(offset: int, record: Any) -> Entry:
        if record is None:  # nobody can read it
            return None
        # In this order: a request's own headers and value stand in its letter, and might look like a mark.
        return read_dead_letter(place.topic, place.partition, record) or read_mark(record)

    return entry


def _bare(place: TopicPartition) -> Callable[[int, Any], Entry]:
    read = _whole(place)

    def entry(offset: int, record: Any) -> Entry:
        found = read(offset, record)
        return replace(found, key=None, value=None, headers=()) if isinstance(found, DeadLetter) else found

    return entry
