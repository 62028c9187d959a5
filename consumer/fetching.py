"""The fetch loop: records from Kafka, through the intake, into the batcher, as long as the valve lets them."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.consumer.assembly import RequestChunk
from penstock.consumer.assignment import Assignment
from penstock.consumer.backpressure import Valve
from penstock.consumer.block import RequestBlock
from penstock.consumer.control.steering import Steering
from penstock.consumer.failure_cap.gate import FailureGate
from penstock.consumer.fetch_errors import hopeless, is_too_early
from penstock.consumer.intake import Intake
from penstock.consumer.lost_requests import LostRequests
from penstock.consumer.outbox import Outbox
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.queue import RequestQueue
from penstock.consumer.salvage import Salvage, Salvaged
from penstock.consumer.spans import Span, steps
from penstock.core.decoding.decoder import STEP
from penstock.core.metrics import Metrics
from penstock.schemas.logger import Logger
from penstock.schemas.record import Record
from penstock.transport.raw_records import is_unreadable

log = Logger(__name__)

_BATCHES_AHEAD = 4  # batches that wait for the engine; the rest waits in Kafka
_POLL_S = 0.2  # how long one fetch call waits for records
_HELD_POLL_S = 0.01  # how soon it is noticed that there is room again
_PATIENCE_S = 1.0  # pausing throws away what the client has fetched ahead: not for a moment's sake


class Fetching:
    """Fetches and takes in.

    Args:
        consumer: the group's member.
        assignment: which partitions are open.
        intake: makes chunks of records.
        queue: gets the chunks.
        outbox: gets what cannot be answered.
        valve: counts what is taken in.
        metrics: where what is passed over is counted.
        gate: how much of it a fetch call may bring; nothing while nearly all requests fail.
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        steering: what throttles and lanes make of it; while nobody commands any, it fetches what there is.
        lost: passes over what Kafka does not have any more.

    Attributes:
        taking_in: held while a fetch is turned into chunks; whoever drains takes it first.
    """

    def __init__(
        self,
        *,
        consumer: AIOKafkaConsumer,
        assignment: Assignment,
        intake: Intake,
        queue: RequestQueue,
        outbox: Outbox,
        valve: Valve,
        metrics: Metrics,
        gate: FailureGate,
        client_options: dict[str, Any],
        steering: Steering,
        lost: LostRequests,
    ) -> None:
        self._consumer = consumer
        self._assignment = assignment
        self._intake = intake
        self._queue = queue
        self._outbox = outbox
        self._valve = valve
        self._metrics = metrics
        self._gate = gate
        self._steering = steering
        self._full_since: float | None = None  # monotonic seconds
        self._salvage = Salvage(consumer, outbox, client_options)
        self._lost = lost
        self._stopping = False
        self.taking_in = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Fetching {'stopping' if self._stopping else 'on'}, {len(self._consumer.paused())} partitions paused>"

    @property
    def full(self) -> bool:
        """Whether there is no room for more at the moment."""
        return self._full_since is not None or self._gate.holding

    def stop(self) -> None:
        """End after the fetch in progress."""
        self._stopping = True

    async def run(self) -> None:
        """Fetch until stopped.

        Raises:
            TransportError: a rebalance failed, or the group refuses this worker.
        """
        while not self._stopping:
            if self._assignment.failure is not None:
                raise self._assignment.failure
            full_for_s = self._full_for_s()
            self._apply_back_pressure(pause=self._gate.look() or full_for_s > _PATIENCE_S)
            if 0 < full_for_s <= _PATIENCE_S:
                await self._queue.wait_until_taken(_HELD_POLL_S)
                continue
            if self._steering.active:
                await self._take_in_what_is_due()
            fetched = await self._fetch()
            if not fetched:
                continue
            async with self.taking_in:
                opened = self._assignment.open
                await self._take_in([(opened[place], records) for place, records in fetched.items() if place in opened])

    async def _fetch(self) -> dict[TopicPartition, list[Record]]:
        # While all is paused nothing can come, and the engine must not run dry before the next look at its queue.
        wait_s = _POLL_S if self._full_since is None else _HELD_POLL_S
        most = min(self._gate.most, self._room)
        try:
            # Never cancelled: a cancelled getmany leaks its fetch count, and idle detection is off for good.
            return self._gate.let_in(await self._steering.fetch(most, wait_s))
        except Exception as error:
            # What the failed call had taken out of the client's buffers already must be fetched again: a gap in
            # the offsets would count as finished.
            partitions = self._assignment.open
            self._salvage.go_back(partitions)
            try:
                if isinstance(error, kafka_errors.OffsetOutOfRangeError):
                    await self._lost.pass_over(error.args[0], partitions)
                    return {}
                if not is_unreadable(error):
                    raise
                await self._take_in_salvaged(await self._salvage.read(partitions))
            except (kafka_errors.KafkaError, TimeoutError) as failure:
                if (refusal := hopeless(failure)) is not None:
                    raise refusal from failure
                if not is_too_early(failure):
                    log.warning("fetch failed; trying again", error=repr(failure))
                await asyncio.sleep(_POLL_S)
            self._salvage.go_back(partitions)
        return {}

    async def _take_in_salvaged(self, salvaged: Sequence[Salvaged]) -> None:
        async with self.taking_in:
            for progress, records, unreadable in salvaged:
                await self._take_in([(progress, records)])
                if unreadable is not None and not progress.closed and not self._assignment.draining:
                    self._salvage.put_aside(progress, unreadable)
        if not salvaged:
            await asyncio.sleep(_POLL_S)

    async def _take_in(self, fetched: Sequence[tuple[PartitionProgress, Sequence[Record]]]) -> None:
        spans = [
            span
            for progress, records in fetched
            for span in self._intake.read(progress, self._admitted(progress, records))
        ]
        await self._outbox.look_up_reply_topics({span.envelope.reply_topic for span in spans})
        if self._steering.throttling.active:
            spans, refused = self._steering.throttling.admit(spans)
            if refused:
                self._admit(*self._intake.refuse(refused))
        await self._serve(spans)

    async def _take_in_what_is_due(self) -> None:
        """Take in what throttles held back, as far as they let it go now and there is room."""
        await self._steering.lanes.look()
        async with self.taking_in:
            if not self.full and not self._assignment.draining:
                # Not all the room: what others send has to get past a long queue that is let out.
                spans = self._steering.throttling.release(max(1, self._room * 3 // 4))
                await self._outbox.look_up_reply_topics({span.envelope.reply_topic for span in spans})
                await self._serve(spans)

    async def _serve(self, spans: Sequence[Span]) -> None:
        for step in steps(spans, STEP):
            if self._assignment.draining:  # what is left is not begun: whoever gets the partition serves it
                return
            chunks, unanswerable = self._intake.take(step)
            self._admit(chunks, unanswerable)
            if self._steering.active:
                self._steering.charge(step, chunks)
            # Decoding is the longest thing done on the loop: acknowledgements and heartbeats get their turn.
            await asyncio.sleep(0)

    def _admitted(self, progress: PartitionProgress, records: Sequence[Record]) -> Sequence[Record]:
        before = progress.skipped
        admitted = () if progress.closed else progress.admit(records)
        if progress.skipped > before:
            self._metrics.skipped.inc(progress.skipped - before)
        return admitted

    def _admit(self, chunks: list[RequestChunk], unanswerable: list[PendingRequest]) -> None:
        for chunk in chunks:
            requests = chunk.requests
            if isinstance(requests, RequestBlock):
                self._valve.take_in(chunk.rows, requests.weight)
                continue
            for request in requests:
                request.held_rows = request.rows
            self._valve.take_in(chunk.rows, sum([request.weight for request in requests]))
        self._queue.add(chunks)
        if unanswerable:
            for request in unanswerable:
                request.held_rows = 0
                self._valve.take_in(0, request.weight)
            self._outbox.bury(unanswerable)

    @property
    def _room(self) -> int:
        """Rows that may still wait for the engine, 1 at least."""
        return max(1, _BATCHES_AHEAD * self._queue.most_rows - self._queue.rows)

    def _full_for_s(self) -> float:
        """Return for how long there has been no room for more, in seconds; 0 when there is."""
        now = time.monotonic()
        # Once full, until half of it is gone: fetches stay large.
        full = _BATCHES_AHEAD * self._queue.most_rows
        most = full if self._full_since is None else full // 2
        if not self._valve.held and self._queue.rows < max(most, 1):
            self._full_since = None
            return 0.0
        if self._full_since is None:
            self._full_since = now
        return max(now - self._full_since, 1e-9)

    def _apply_back_pressure(self, *, pause: bool) -> None:
        """Pause or resume partitions; polling goes on, so that the group does not think the worker dead."""
        wanted = {place for place, progress in self._assignment.open.items() if pause or progress.too_scattered}
        held = self._valve.held or bool(wanted)
        if self._steering.active:
            wanted |= self._steering.stopped()
        paused = self._consumer.paused()  # the client's own word: a rebalance forgets what was paused
        if wanted != paused:
            assigned = self._consumer.assignment()
            self._consumer.pause(*((wanted - paused) & assigned))
            self._consumer.resume(*((paused - wanted) & assigned))
        self._metrics.paused.set(held)
