"""Taking partitions over from whoever had them: their transactional producers, and what is committed.

A producer that starts fences the one before it and aborts what that left open. From then on nobody else can change the
committed state, so it is read after that, and not before.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import NamedTuple

from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.schemas.logger import Logger
from penstock.transport.transactions.client import TransactClient
from penstock.transport.transactions.errors import Fenced
from penstock.transport.transactions.producer import State, TransactionalProducer

log = Logger(__name__)


class Taken(NamedTuple):
    """What a lane begins with.

    Attributes:
        producer: of its transactions.
        known: the state that was committed when it had started; None where there was none.
        started: False where another lane of the same assignment has used up the producer that was started.
    """

    producer: TransactionalProducer
    known: State | None
    started: bool


class Takeover:
    """Starts producers, side by side.

    Args:
        client: shared by all of them.
        transaction_timeout_s: after which the brokers abort a transaction that nobody ends.
    """

    def __init__(self, client: TransactClient, transaction_timeout_s: float) -> None:
        self._client = client
        self._timeout_s = transaction_timeout_s
        self._known: dict[TopicPartition, OffsetAndMetadata | None] = {}
        self._unused: dict[TopicPartition, TransactionalProducer] = {}
        self._remembered: dict[TopicPartition, State] = {}  # committed by this worker

    def __repr__(self) -> str:
        return f"<Takeover of {len(self._known)} partitions>"

    async def try_out(self) -> None:
        """Start a producer that writes nothing: can transactions be used here?

        Raises:
            TransportError: they cannot; the text says what to change.
        """
        probe = TransactionalProducer(
            self._client,
            TopicPartition("", 0),
            f"{self._client.group}/start",
            transaction_timeout_s=self._timeout_s,
        )
        with contextlib.suppress(Fenced):  # by another worker that tries it at this moment: so it works
            await probe.start(self._timeout_s)
        await self._client.committed([], self._timeout_s)

    async def take(self, places: Iterable[TopicPartition], timeout_s: float) -> dict[TopicPartition, OffsetAndMetadata]:
        """Take partitions over and return what is committed; without a commit, left out.

        Raises:
            TransportError: it was not possible by the deadline.
        """
        deadline = time.monotonic() + timeout_s
        producers = {place: self._producer(place) for place in places}
        starting = (producer.start(timeout_s) for producer in producers.values())
        for error in await asyncio.gather(*starting, return_exceptions=True):
            if error is not None:
                raise error
        found = await self._client.committed(producers, max(0.1, deadline - time.monotonic()))
        for place in producers:
            state = found[place][:2] if place in found else None
            remembered = self._remembered.get(place)
            if remembered is not None and is_behind(state, remembered):
                log.warning("committed offset has fallen back; going on", topic=place.topic, partition=place.partition)
                found[place] = OffsetAndMetadata(*remembered)
        self._known = {place: found.get(place) for place in producers}
        self._unused = producers
        return found

    def taken(self, place: TopicPartition) -> Taken | None:
        """Return what a new lane of a partition begins with; None where the partition was not taken over."""
        if place not in self._known:
            return None
        known = self._known[place]
        producer = self._unused.pop(place, None)
        state = None if known is None else (known.offset, known.metadata)
        return Taken(producer or self._producer(place), state, started=producer is not None)

    def remember(self, place: TopicPartition, state: State | None) -> None:
        """Keep a state that this worker has committed, for when it gets the partition again.

        A broker that is stopped while it ends a transaction may leave out the mark on the committed offset, though the
        end was acknowledged and the records are there for all to read (seen of Kafka 4.3). The offset then falls back.
        What is known to be committed is committed.
        """
        if state is not None:
            self._remembered[place] = state

    def _producer(self, place: TopicPartition) -> TransactionalProducer:
        # Read from the right: groups and topics may have dots, and a group a slash.
        transactional_id = f"{self._client.group}/{place.topic}/{place.partition}"
        return TransactionalProducer(self._client, place, transactional_id, transaction_timeout_s=self._timeout_s)


def is_behind(found: State | None, known: State | None) -> bool:
    """Tell whether a committed state is older than one that is known to have been committed."""
    return known is not None and (found is None or found[0] < known[0])
