"""The transactions of one open input partition, one after the other.

    add -> waiting -> planned -> run -> committed: progress moves, the requests are reported as acknowledged
              ^                   |
              +--- put back <-----+ not committed: another producer takes the id over first, which aborts what is open

An idle lane has no transaction open, so it hides nothing from readers of committed records. What comes while one runs
gathers and becomes the next.
"""

import asyncio
import time
from typing import Final

from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.consumer.exactly_once.lane_calls import LaneCalls
from penstock.consumer.exactly_once.outcomes import Outcomes, Planned
from penstock.consumer.exactly_once.takeover import is_behind
from penstock.consumer.progress import PartitionProgress
from penstock.core.metrics import Metrics
from penstock.schemas.logger import Logger
from penstock.transport.parcels import Parcel
from penstock.transport.publisher import TOO_LARGE
from penstock.transport.transactions.errors import Fenced, InDoubt, Refused
from penstock.transport.transactions.producer import State, TransactionalProducer

log = Logger(__name__)

_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 1.0


class TransactionLane:
    """Writes the outcomes of one partition under one assignment.

    Args:
        progress: of the partition; it moves when a transaction has committed.
        producer, known, started: see `Taken`.
        calls: whom it tells.
        metrics: where transactions are counted.
        max_batch_bytes: bytes of one record batch.
        timeout_s: bound on one transaction, and on one attempt to start anew after a failure.
    """

    def __init__(
        self,
        progress: PartitionProgress,
        producer: TransactionalProducer,
        known: State | None,
        started: bool,
        calls: LaneCalls,
        *,
        metrics: Metrics,
        max_batch_bytes: int,
        timeout_s: float,
    ) -> None:
        self.progress = progress
        self._producer = producer
        self._known = known
        self._calls = calls
        self._metrics = metrics
        self._started = started
        self._timeout_s = timeout_s
        self._outcomes = Outcomes(progress, max_batch_bytes)
        self._running: Planned | None = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<TransactionLane {self.progress!r} {self._outcomes!r} running={self._running}>"

    @property
    def pending(self) -> int:
        """Outcomes that have neither committed nor been given up."""
        return self._outcomes.pending

    @property
    def known(self) -> State | None:
        """The state that was committed last."""
        return self._known

    @property
    def busy(self) -> bool:
        """Whether a transaction runs, or one that failed is being made good."""
        return self._task is not None

    def add(self, place: TopicPartition, parcel: Parcel) -> None:
        """Write outcomes to a partition, after all that were added for it before."""
        self._outcomes.add(place, parcel)
        self.wake()

    def wake(self) -> None:
        """Begin a transaction if there is something to commit, and none runs."""
        if self._task is None and not self.progress.closed:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    def close(self) -> None:
        """Forget what has not committed; what runs is left to whoever takes the partition over."""
        if self._task is not None:
            self._task.cancel()
        self._drop()

    async def _drain(self) -> None:
        try:
            if not self._started:
                found = await self._start_anew()
                self._known, self._started = self._known if is_behind(found, self._known) else found, True
            while not self.progress.closed and (planned := self._outcomes.plan()) is not None:
                self._running = planned
                await self._run(planned)
                self._running = None
        except Fenced as fenced:
            self._lose(fenced)
        finally:
            self._task = None

    async def _run(self, planned: Planned) -> None:
        """Run a transaction; afterwards it has committed, or its outcomes wait again.

        Raises:
            Fenced: the partition is another worker's.
        """
        start = time.monotonic()
        try:
            await self._producer.run(planned.batches, planned.state, self._timeout_s)
        except Exception as error:  # whatever it is, the outcomes must not be lost with it
            if not await self._make_good(planned, error):
                return
        self._metrics.transactions.labels("committed").inc()
        took_s = time.monotonic() - start
        self._metrics.transaction_seconds.observe(took_s)
        self._known = planned.state
        for tokens in self._outcomes.done(planned):
            self._calls.acked(tokens, took_s)
        self.progress.committed(planned.state)

    async def _make_good(self, planned: Planned, error: Exception) -> bool:
        """Bring a failed transaction to an end; True when it turns out to have committed.

        Raises:
            Fenced: the partition is another worker's.
        """
        place = self.progress.place
        log.warning("transaction failed", topic=place.topic, partition=place.partition, error=str(error))
        if isinstance(error, Fenced):
            raise error
        found = await self._start_anew()
        if isinstance(error, InDoubt) and found == planned.state:
            return True
        if found != self._known and not is_behind(found, self._known):
            raise Fenced(f"another worker has committed {found} after {self._known}")
        self._metrics.transactions.labels("aborted").inc()
        self._outcomes.put_back(planned)
        self._running = None
        if isinstance(error, Refused):
            await self._find_another_way(planned, error)
        return False

    async def _start_anew(self) -> State | None:
        """Take the transactional id over again, which aborts what is open, and return what is committed.

        Raises:
            Fenced: the partition is another worker's; taking its id over would fence that one.
        """
        delay_s, last = _FIRST_RETRY_S, ""
        while True:
            try:
                async with asyncio.timeout(self._timeout_s):
                    if not await self._calls.is_member():
                        raise Fenced("this worker does not belong to the group any more")
                    await self._producer.start(self._timeout_s)
                    state = (await self._calls.committed([self.progress.place], self._timeout_s)).values()
                    return next(((each.offset, each.metadata) for each in state), None)
            except Fenced:
                raise
            except Exception as error:  # of any kind: until it has worked nothing of this partition can be answered
                last = str(error) or repr(error)
            await asyncio.sleep(delay_s)
            if delay_s < _LAST_RETRY_S <= (delay_s := min(delay_s * 2, _LAST_RETRY_S)):  # said once
                place = self.progress.place
                log.warning("no transactions; trying on", topic=place.topic, partition=place.partition, error=last)

    async def _find_another_way(self, planned: Planned, refused: Refused) -> None:
        """Send less at once where a batch was too large; a record that Kafka will never take leaves by another way."""
        place, records = refused.place, len(planned.batches[refused.place])
        if isinstance(refused.error, TOO_LARGE) and records > 1:
            self._outcomes.suspect(place, records)
            return
        unknown = isinstance(refused.error, kafka_errors.UnknownTopicOrPartitionError)
        if unknown and not await self._calls.is_gone(place):
            return
        log.warning("records refused", topic=place.topic, partition=place.partition, error=repr(refused.error))
        self._outcomes.give_up(planned, place, lambda token: self._calls.refused(token, refused.error))

    def _lose(self, fenced: Fenced) -> None:
        """Close the gate: what is in memory of this partition is another worker's to answer."""
        place = self.progress.place
        log.warning("partition lost to another worker", topic=place.topic, partition=place.partition, why=str(fenced))
        self._metrics.transactions.labels("fenced").inc()
        self._drop()
        self._calls.lost(self.progress)

    def _drop(self) -> None:
        self.progress.closed = True
        if self._running is not None:
            self._outcomes.put_back(self._running)
            self._running = None
        for tokens in self._outcomes.clear():
            self._calls.dropped(tokens)
