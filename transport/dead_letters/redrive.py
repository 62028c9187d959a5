"""Sending the requests of dead letters again, each one at most once, whoever tries it and whatever breaks.

    transaction = { requests -> their topics;  mark -> the dead letters' own partition }

The requests and the mark that names their dead letters become visible together, or not at all. Who begins shuts out
whoever was at it (`transaction.py`). After that, and before anything is sent, all marks are read, up to
the partition's true end. So nobody sends what somebody else has sent, be it at the same time, after a crash in the
middle, or in a second call.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from penstock.schemas.dead_letters.letter import Coordinates, DeadLetter, redriven_headers
from penstock.schemas.dead_letters.mark import mark
from penstock.schemas.errors import TransportError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.dead_letters.original import OriginalGone, fetch_original
from penstock.transport.dead_letters.reading import LetterReader, true_end
from penstock.transport.dead_letters.transaction import TooLarge, Written, redrive_producer, write_together

_MOST_BYTES: Final = 8 * 1024 * 1024  # of one transaction


class Again(NamedTuple):
    """A request that is to be sent again, and the offset of its dead letter."""

    letter: int
    request: Written

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.request.key or b"") + len(self.request.value)


@dataclass(slots=True)
class RedriveOutcome:
    """What became of the dead letters.

    Attributes:
        sent: how many were sent again.
        already: how many somebody else had sent by then.
        left: those that cannot be sent, and why.
    """

    sent: int = 0
    already: int = 0
    left: list[tuple[Coordinates, str]] = field(default_factory=list)


class _Refused(Exception):
    """Kafka never takes one of these; none was sent."""

    def __init__(self, refused: Collection[Again]) -> None:
        super().__init__(f"{len(refused)} refused")
        self.letters = [each.letter for each in refused]


class Redrive:
    """Sends dead letters of one partition again.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        cluster: connected.
        place: the partition of the dead-letter topic.
        targets: topics that requests may go back to, and how many partitions they have.
        by: who does it, for the marks.
        pace: waits until so many more may be sent.
        most: letters of one transaction.
        outcome: grows while it runs, and is true after an error too.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        cluster: ClusterReader,
        place: TopicPartition,
        *,
        targets: Mapping[str, int],
        by: str,
        pace: Callable[[int], Awaitable[None]],
        most: int,
        outcome: RedriveOutcome,
    ) -> None:
        self._options = client_options
        self._cluster = cluster
        self._place = place
        self._targets = targets
        self._by = by
        self._pace = pace
        self._most = most
        self._ours: set[int] = set()  # sent by us
        self._theirs: set[int] = set()  # sent by others before
        self._alone: set[int] = set()  # a transaction each: with others Kafka has refused them
        self._left: set[int] = set()
        self._outcome = outcome

    async def run(self, letters: Collection[int]) -> None:
        """Send the dead letters at these offsets, but those that were sent before.

        Raises:
            TransportError: Kafka cannot be reached or refuses, or somebody else has begun to do the same.
        """
        while True:
            async with redrive_producer(self._options, self._place) as producer:
                try:
                    async with contextlib.aclosing(self._batches(await self._open(letters))) as batches:
                        async for batch in batches:
                            await self._pace(len(batch))
                            await self._transaction(producer, batch)
                    break
                except _Refused as refused:
                    if len(refused.letters) > 1:
                        self._alone.update(refused.letters)
                    else:
                        self._leave(refused.letters[0], "its topic does not take it: it is too large")
        if self._ours:
            await self._see_marks()

    async def _open(self, letters: Collection[int]) -> set[int]:
        """Return which of these have not been sent. Only who holds the transactional id may ask."""
        wanted = set(letters) - self._left - self._ours
        if not wanted:
            return wanted
        end = await true_end(self._cluster, self._place)
        sent: set[int] = set()
        async with LetterReader(self._options, self._place, whole=False) as reader:
            async for entry in reader.entries(min(wanted), end):
                if entry is not None and not isinstance(entry, DeadLetter):
                    sent.update(offset for run in entry for offset in range(*run))
        self._outcome.already += len((wanted & sent) - self._theirs)
        self._theirs |= wanted & sent
        return wanted - sent

    async def _batches(self, wanted: set[int]) -> AsyncGenerator[list[Again], None]:
        """Yield what is to be sent in one transaction each."""
        batch: list[Again] = []
        if not wanted:
            return
        async with LetterReader(self._options, self._place, whole=True) as reader:
            async for entry in reader.entries(min(wanted), max(wanted) + 1):
                if not isinstance(entry, DeadLetter) or entry.at.offset not in wanted:
                    continue
                again = await self._again(entry)
                if again is None:
                    continue
                alone = again.letter in self._alone
                full = len(batch) >= self._most or sum(each.size for each in batch) + again.size > _MOST_BYTES
                if batch and (full or alone):
                    yield batch
                    batch = []
                batch.append(again)
                if alone:
                    yield batch
                    batch = []
        if batch:
            yield batch

    async def _again(self, letter: DeadLetter) -> Again | None:
        """Return what is to be sent for a dead letter; None where nothing can be, and then it is noted why."""
        topic, number, _ = letter.source
        partitions = self._targets.get(topic)
        key, value, headers = letter.key, letter.value, letter.headers
        why = "nobody can read the request" if letter.hopeless else ""
        if not why and not partitions:
            why = f"{topic} is no request topic of these settings, or is not there"
        if not why and not letter.payload_kept:
            try:
                original = await fetch_original(self._options, letter)
                key, value, headers = original.key, original.value, tuple(original.headers)
            except OriginalGone as gone:
                why = str(gone)
        if why or value is None or not partitions:
            self._leave(letter.at.offset, why or "the request has no value")
            return None
        partition = number if number < partitions else None
        request = Written(topic, partition, key, value, redriven_headers(letter, headers))
        return Again(letter.at.offset, request)

    async def _see_marks(self) -> None:
        """Wait until the marks can be read: a commit returns before that, and whoever looks next should see them."""
        with contextlib.suppress(TransportError):  # all is sent
            end = await true_end(self._cluster, self._place)
            async with LetterReader(self._options, self._place, whole=False) as reader:
                async for _ in reader.entries(end - 1, end):
                    pass

    def _leave(self, offset: int, why: str) -> None:
        self._left.add(offset)
        self._outcome.left.append((Coordinates(self._place.topic, self._place.partition, offset), why))

    async def _transaction(self, producer: AIOKafkaProducer, batch: list[Again]) -> None:
        value, headers = mark([each.letter for each in batch], self._by)
        mark_of_it = Written(self._place.topic, self._place.partition, None, value, headers)
        try:
            await write_together(producer, self._place, [*(each.request for each in batch), mark_of_it])
        except TooLarge as error:
            raise _Refused(batch) from error
        self._ours.update(each.letter for each in batch)
        self._outcome.sent += len(batch)
