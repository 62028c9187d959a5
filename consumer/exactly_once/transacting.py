"""Exactly once: outcomes and the committed state of their input partition in one transaction.

Each open partition has a producer with a transactional id of its own, `group/topic/partition`. Whoever is assigned the
partition starts it first: that fences the owner before, and aborts what it left open. Then the committed state is read,
which nobody else can change from then on, and only then the gate opens.

    Outbox ─▶ Transacting ─▶ TransactionLane (a partition) ─▶ TransactionalProducer ─▶ Kafka
                                └─ Outcomes: what waits, and the next transaction

It stands where delivery at least once has a RecordPublisher, CommittedOffsets and a Committer.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.consumer.block import RequestBlock
from penstock.consumer.exactly_once.lane_calls import LaneCalls
from penstock.consumer.exactly_once.origins import is_to_be_buried, parts_of
from penstock.consumer.exactly_once.takeover import Takeover, is_behind
from penstock.consumer.exactly_once.transaction_lane import TransactionLane
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.core.metrics import Metrics
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.parcels import Parcel
from penstock.transport.publisher import Outgoing
from penstock.transport.record_encoding import SingleRecords
from penstock.transport.topics import is_gone
from penstock.transport.transactions.client import Membership, TransactClient

log = Logger(__name__)

_TRANSACTION_PART: Final = 0.8  # of the transaction's timeout: before it, or the coordinator would fence us
_REQUEST_PART: Final = 0.3  # of the same: what does not answer is given up while there is time to ask again
_IDLE_POLL_S: Final = 0.005
_VERIFY_S: Final = 10.0
_NOTHING: Final = (-1, "")


class Transacting:
    """Writes outcomes in transactions, and opens the partitions for that.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        group: the consumer group.
        partitions: returns the open partitions.
        membership: returns who this worker is in its group.
        rejoin: called when a partition has turned out to be another worker's.
        metrics: where transactions are counted.
        max_batch_bytes: bytes of one record batch.
        interval_s: seconds between looks for what has to be committed without any outcome.
        transaction_timeout_s: after which the brokers abort a transaction that nobody ends.
        request_timeout_s: the longest that one request to a broker may take.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        group: str,
        *,
        partitions: Callable[[], Mapping[TopicPartition, PartitionProgress]],
        membership: Callable[[], Membership],
        rejoin: Callable[[], None],
        metrics: Metrics,
        max_batch_bytes: int,
        interval_s: float,
        transaction_timeout_s: float,
        request_timeout_s: float,
    ) -> None:
        self._options = client_options
        self._partitions = partitions
        self._membership = membership
        self._rejoin = rejoin
        self._interval_s = interval_s
        self._transaction_timeout_s = transaction_timeout_s
        request_timeout_s = min(request_timeout_s, transaction_timeout_s * _REQUEST_PART)
        self._client = TransactClient(client_options, group, request_timeout_s=request_timeout_s)
        self._takeover = Takeover(self._client, transaction_timeout_s)
        self._started = False
        self._with_dead_letters: dict[PendingRequest, tuple[TopicPartition, Parcel]] = {}  # replies that wait for one
        self._lanes: dict[PartitionProgress, TransactionLane] = {}
        self._lane = partial(
            TransactionLane,
            metrics=metrics,
            max_batch_bytes=max_batch_bytes,
            timeout_s=transaction_timeout_s * _TRANSACTION_PART,
        )
        self._calls: LaneCalls
        self._bury: Callable[[list[PendingRequest]], None]

    def __repr__(self) -> str:
        return f"<Transacting {self.pending} outcomes pending, {len(self._lanes)} lanes>"

    def report_to(
        self,
        *,
        acked: Callable[[Sequence[Any], float], None],
        refused: Callable[[Any, Exception], None],
        dropped: Callable[[Sequence[Any]], None],
        bury: Callable[[list[PendingRequest]], None],
    ) -> None:
        """Say who is told what became of outcomes, see `LaneCalls`, and who writes dead letters; once."""
        self._bury = bury
        self._calls = LaneCalls(
            acked=acked,
            refused=refused,
            dropped=dropped,
            lost=self._lost,
            is_member=lambda: self._client.is_member(self._membership()),
            is_gone=lambda place: is_gone(self._options, place.topic, place.partition),
            committed=self._client.committed,
        )

    @property
    def pending(self) -> int:
        """Outcomes that have neither committed nor been given up."""
        return sum(lane.pending for lane in self._lanes.values())

    async def start(self) -> None:
        """Connect, and make sure that the brokers allow transactions as they are used here.

        Raises:
            TransportError: Kafka could not be reached, or allows none; the text says what to change.
        """
        if self._started:
            return
        await self._client.start()
        try:
            await self._takeover.try_out()
        except BaseException:
            await self._client.close()
            raise
        self._started = True

    async def read(self, places: Iterable[TopicPartition], timeout_s: float) -> dict[TopicPartition, OffsetAndMetadata]:
        """Take partitions over from whoever had them, and return what is committed; without a commit, left out.

        Raises:
            TransportError: it was not possible by the deadline.
        """
        return await self._takeover.take(places, timeout_s)

    def add(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Write records to one partition, in this order and after all that was added before for it."""
        for key, value, headers, token, timestamp_ms in records:
            waited = self._with_dead_letters.pop(token, None)
            if waited is not None:
                self._write(token.progress, *waited)
            self.add_parcel(topic, partition, Parcel(SingleRecords([(key, value, headers)]), [token], timestamp_ms))

    def add_parcel(self, topic: str, partition: int, parcel: Parcel) -> None:
        """Write a parcel to one partition, each part in a transaction of the partition that its requests came from."""
        place = TopicPartition(topic, partition)
        for part in parts_of(parcel):
            request = part.tokens[0]
            if not isinstance(part.tokens, RequestBlock) and is_to_be_buried(request):
                # Its error reply and its dead letter are one outcome: they go together.
                self._with_dead_letters[request] = place, part._replace(tokens=[])
                self._bury([request])
            else:
                self._write(request.progress, place, part)

    def _write(self, progress: PartitionProgress, place: TopicPartition, part: Parcel) -> None:
        lane = self._lane_of(progress)
        if lane is not None:
            lane.add(place, part)
        else:
            self._calls.dropped(part.tokens)

    async def run(self) -> None:
        """Commit what changes without any outcome (where a new group begins, offsets of no record), until cancelled."""
        verified = time.monotonic()
        while True:
            await asyncio.sleep(self._interval_s)
            self._sweep()
            if time.monotonic() - verified > _VERIFY_S:
                await self._verify()
                verified = time.monotonic()

    async def commit(self, timeout_s: float | None = None) -> bool:
        """Commit what has changed, by the deadline; False where something is left."""
        deadline = time.monotonic() + (self._transaction_timeout_s if timeout_s is None else timeout_s)
        self._sweep()
        while any(lane.busy for lane in self._lanes.values()):
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_IDLE_POLL_S)
        return True

    def forget_closed(self) -> None:
        """Give up what has not committed of partitions that are closed."""
        for progress in [each for each in self._lanes if each.closed]:
            lane = self._lanes.pop(progress)
            self._takeover.remember(progress.place, lane.known)
            lane.close()

    async def close(self, timeout_s: float = 2.0) -> None:
        """Finish what can be finished by the deadline, and disconnect."""
        await self.commit(timeout_s)
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            lane.close()
        await self._client.close()

    def _sweep(self) -> None:
        for lane in self._lanes.values():
            if lane.pending:
                lane.wake()
        for progress in self._partitions().values():
            if progress.to_commit() is not None and (found := self._lane_of(progress)) is not None:
                found.wake()

    async def _verify(self) -> None:
        """Commit again what idle lanes have committed and the group does not know any more, see `Takeover.remember`."""
        known = {
            progress.place: (lane, lane.known)
            for progress, lane in self._lanes.items()
            if lane.known is not None and not lane.busy and not lane.pending
        }
        try:
            found = await self._client.committed(known, self._transaction_timeout_s) if known else {}
        except TransportError:  # one of them is left open
            found = {}
        for place, (lane, state) in known.items():
            told = (found[place].offset, found[place].metadata) if place in found else None
            if is_behind(told, state) and lane.known == state and not lane.busy and not lane.progress.closed:
                named = {"topic": place.topic, "partition": place.partition}
                log.warning("committed offset has fallen back; committed again", **named)
                lane.progress.committed(told or _NOTHING)
                lane.wake()

    def _lane_of(self, progress: PartitionProgress) -> TransactionLane | None:
        """Return the lane of a partition; None where it is closed, or another worker's."""
        lane = self._lanes.get(progress)
        if lane is None and not progress.closed and (taken := self._takeover.taken(progress.place)) is not None:
            self.forget_closed()
            lane = self._lanes[progress] = self._lane(progress, *taken, self._calls)
        return None if progress.closed else lane

    def _lost(self, progress: PartitionProgress) -> None:
        if (lane := self._lanes.pop(progress, None)) is not None:
            self._takeover.remember(progress.place, lane.known)
        self._rejoin()
