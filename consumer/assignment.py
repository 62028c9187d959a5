"""Assignment: which partitions are this worker's, and whether their gates are open.

aiokafka returns records of a partition while `on_partitions_assigned` still runs, and swallows whatever that
callback raises. So a partition has a gate of its own, which opens when its committed state has been read; and a
failure is kept and raised from the worker's loop.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from penstock.consumer.exactly_once.transacting import Transacting
from penstock.consumer.finished_set import FinishedSet
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.group import CommittedOffsets

log = Logger(__name__)

_RETRY_S: Final = 0.5


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The open partitions of one worker. Passed to `subscribe` as its listener.

    Args:
        consumer: whose positions are set.
        committed: where the committed state is read.
        drain: called when partitions are about to go: finish what is in flight and commit it, within a deadline.
        beginning: the group's policy for a partition without a commit: True starts at its first record.
        timeout_s: bound on one attempt to open the gates; while no broker answers there are more.
        before_opening: called with `timeout_s` before each attempt; TransportError has it tried again.
        after_closing: called when gates have been closed.

    `epoch` and `open` change in the two callbacks only; `failure` is set there and read by the worker.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        committed: CommittedOffsets | Transacting,
        drain: Callable[[], Awaitable[None]],
        *,
        beginning: bool,
        timeout_s: float,
        before_opening: Callable[[float], Awaitable[None]] | None = None,
        after_closing: Callable[[], None] = lambda: None,
    ) -> None:
        self._consumer = consumer
        self._committed = committed
        self._drain = drain
        self._beginning = beginning
        self._timeout_s = timeout_s
        self._before_opening = before_opening
        self._after_closing = after_closing
        self.epoch = 0
        self.open: dict[TopicPartition, PartitionProgress] = {}
        self.assigned = False
        self.draining = False  # the gates are closed to what is fetched, while what was taken in ends
        self.failure: Exception | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"<Assignment epoch={self.epoch} open={len(self.open)}>"

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Close every gate, let what is in flight end, and forget the partitions."""
        try:
            self.draining = True
            if self.open:
                await self._drain()
        except Exception as error:
            self._fail("draining", error)
        finally:
            self.close()
            self.draining = False

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Read the committed state of the new partitions, go to it, and open the gates."""
        places = list(assigned)
        start = time.monotonic()
        try:
            self.close()  # after a lost session there was no revocation
            self.epoch += 1
            opened = await self._read_when_answered(places)
            for place, progress in opened.items():
                if progress.position is not None:
                    self._consumer.seek(place, progress.position)
            self.open = opened
            self.assigned = True
        except Exception as error:
            self._fail("opening", error)
            return
        log.info(
            "partitions opened",
            epoch=self.epoch,
            partitions=len(places),
            took_s=round(time.monotonic() - start, 3),
        )

    def reopen(self, place: TopicPartition, offset: int) -> None:
        """Serve an open partition whose log ends at an offset now, before what was read of it.

        What is in flight of it reports to nobody any more; of that, what lies before the end is read and served again.
        """
        before = self.open[place]
        before.closed = True
        self.open[place] = before.cut_off(offset)
        self._consumer.seek(place, self.open[place].position)

    def stop(self) -> None:
        """Close every gate for good."""
        self._stopped = True
        self.close()

    def close(self) -> None:
        """Close every gate; what still ends late is reported to nobody."""
        for progress in self.open.values():
            progress.closed = True
        self.open = {}
        self.assigned = False
        self._after_closing()

    async def _read_when_answered(self, places: list[TopicPartition]) -> dict[TopicPartition, PartitionProgress]:
        """Read the committed state, however long no broker answers; a lost session brings a new assignment."""
        while True:
            try:
                if self._before_opening is not None:
                    await self._before_opening(self._timeout_s)
                async with asyncio.timeout(self._timeout_s):
                    return await self._read(places)
            except (TransportError, kafka_errors.KafkaError, TimeoutError) as error:
                if self._stopped:
                    raise
                log.warning("partitions cannot be opened yet; trying again", error=str(error) or repr(error))
                await asyncio.sleep(_RETRY_S)

    async def _read(self, places: list[TopicPartition]) -> dict[TopicPartition, PartitionProgress]:
        if not places:
            return {}
        known = await self._committed.read(places, self._timeout_s)
        fresh = [place for place in places if place not in known]
        bounds = self._consumer.beginning_offsets if self._beginning else self._consumer.end_offsets
        starts = await bounds(fresh) if fresh else {}
        opened: dict[TopicPartition, PartitionProgress] = {}
        for place in places:
            if place in known:
                offset, metadata = known[place]
                opened[place] = PartitionProgress(place, offset, FinishedSet.decode(metadata, offset))
            else:
                # Committed at once, so that lag can be told of a group that has served nothing yet.
                opened[place] = PartitionProgress(place, None)
                opened[place].skip_to(starts[place])
        return opened

    def _fail(self, doing: str, error: Exception) -> None:
        if self._stopped:  # it was disconnected under a rebalance that is of no concern any more
            return
        self.failure = TransportError(f"{doing} partitions failed: {error}")
        self.failure.__cause__ = error
        log.error("rebalance failed", doing=doing, error=repr(error))
