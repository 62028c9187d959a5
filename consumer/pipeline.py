"""The pipeline of a worker: one member of the group, from fetched records to committed offsets.

    Fetching -> Intake -> RequestQueue -> Inferring -> InferenceEngine -> Outbox -> PartitionProgress -> Committer

Three tasks carry that: the fetch loop, the inference loop and the committer's. None waits for another's work: they
meet at the queue, at the outbox and at the progress of each partition. What bounds memory is the valve, which
counts every request from its intake to the acknowledgement of its outcome.
"""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from aiokafka import errors as kafka_errors

from penstock.consumer.assignment import Assignment
from penstock.consumer.backpressure import Bounds, Valve
from penstock.consumer.committer import Committer
from penstock.consumer.control.lanes import Lanes
from penstock.consumer.control.partitions import Partitions
from penstock.consumer.control.steering import Steering
from penstock.consumer.control.throttling import Throttling
from penstock.consumer.fetching import Fetching
from penstock.consumer.inferring import Inferring
from penstock.consumer.intake import Intake
from penstock.consumer.lag_gauges import LagGauges
from penstock.consumer.member import member
from penstock.consumer.model_gauges import ModelGauges
from penstock.consumer.outbox import Outbox
from penstock.consumer.queue import RequestQueue
from penstock.consumer.routes import ReplyRouter
from penstock.consumer.settings import EmbeddedSettings
from penstock.consumer.startup import ensure_topics
from penstock.core.batcher import BatchPolicy, MicroBatcher
from penstock.core.engine import InferenceEngine
from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.group import CommittedOffsets
from penstock.transport.topics import TopicDirectory

if TYPE_CHECKING:
    from penstock.consumer.control.worker_control import WorkerControl

log = Logger(__name__)

_IDLE_POLL_S: Final = 0.005
_CLOSE_S: Final = 5.0  # to leave the group and disconnect, after the deadline of the drain


class Pipeline:
    """Serves the requests of the partitions that the group assigns to it.

    Args:
        settings: of the whole service.
        models: loaded and warm.
        metrics: where everything is counted.
        client_id: of this process alone, so that its supervisor can find its membership.
        control: follows commands; None where none are followed.

    `state` says what it is doing: starting, running, draining, stopped. Only the methods here change it.
    """

    def __init__(
        self,
        settings: EmbeddedSettings,
        models: ModelTable,
        metrics: Metrics,
        *,
        client_id: str,
        control: "WorkerControl | None" = None,
    ) -> None:
        worker = settings.worker
        self._control = control
        self._settings = settings
        self._lags = LagGauges(metrics)
        self.state = "starting"
        options = {**settings.kafka.client_options(), "client_id": client_id}
        self._options = options
        self._models = models
        self._engine = InferenceEngine(models)
        self._queue = RequestQueue(MicroBatcher(BatchPolicy(**settings.batching.model_dump()), models.is_ready))
        self._valve = Valve(
            Bounds(
                max_bytes=worker.max_buffered_bytes,
                max_rows=worker.max_buffered_rows,
                resume_fraction=worker.resume_fraction,
            )
        )
        self._directory = TopicDirectory(options)
        router = ReplyRouter(self._directory, worker.reply_topic, worker.may_reply_to)
        self._outbox = Outbox(
            worker, options, directory=self._directory, router=router, metrics=metrics, on_finished=self._valve.let_out
        )
        self._consumer = member(settings.worker, options)
        self._committed = CommittedOffsets(options, worker.group_id)
        self._assignment = Assignment(
            self._consumer,
            self._committed,
            self._drain_for_rebalance,
            beginning=worker.auto_offset_reset == "earliest",
            timeout_s=settings.kafka.request_timeout_s,
            before_opening=control.catch_up if control else None,
        )
        self._committer = Committer(
            self._consumer,
            lambda: self._assignment.open,
            metrics,
            interval_s=worker.commit_interval_s,
            timeout_s=max(1.0, worker.drain_timeout_s),
        )
        self.partitions = Partitions(self._consumer, self._assignment)
        self.throttling = Throttling(
            self.partitions, lambda: models.default, max_bytes=settings.control.max_delayed_bytes, metrics=metrics
        )
        self.lanes = Lanes(self._consumer, self.partitions)
        self._fetching = Fetching(
            consumer=self._consumer,
            assignment=self._assignment,
            intake=Intake(models, router, settings.limits.to_limits()),
            queue=self._queue,
            outbox=self._outbox,
            valve=self._valve,
            metrics=metrics,
            max_records=worker.fetch_max_records,
            client_options=options,
            steering=Steering(self._consumer, self.partitions, self.throttling, self.lanes),
        )
        offer = control.offer if control else None
        self._inferring = Inferring(self._queue, self._engine, self._outbox, models, offer)
        models.on_change = self._queue.wake
        metrics.max_bytes.set(worker.max_buffered_bytes)
        metrics.max_rows.set(worker.max_buffered_rows)
        if control is None:  # else it shows what changes
            ModelGauges(metrics).show(models)
        # Read when the metrics are asked for, in the HTTP server's thread.
        metrics.buffered_bytes.set_function(lambda: self._valve.bytes)
        metrics.buffered_rows.set_function(lambda: self._valve.rows)
        metrics.partitions.set_function(lambda: len(self._assignment.open))
        metrics.epoch.set_function(lambda: self._assignment.epoch)

    def __repr__(self) -> str:
        return f"<Pipeline {self.state} {self._assignment!r} {self._valve!r}>"

    @property
    def not_ready(self) -> str | None:
        """Why it does not serve; None when it has an assignment (possibly of no partition) and all models are warm."""
        if self.state != "running":
            return f"the worker is {self.state}"
        return None if self._assignment.assigned else "the group has assigned no partitions yet"

    def observe(self) -> None:
        """Renew the lag of the open partitions; called about twice a second."""
        self._lags.show(self._assignment.open, self._consumer.highwater)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain within the shutdown deadline.

        Raises:
            TransportError: Kafka could not be reached at start, or a rebalance failed for good.
        """
        try:
            await self._start()
            fetching = asyncio.create_task(self._fetching.run(), name="fetching")
            others = [
                asyncio.create_task(self._inferring.run(), name="inferring"),
                asyncio.create_task(self._committer.run(), name="committer"),
            ]
            self.state = "running"
            await self._watch(stop, fetching, others)
        finally:
            self.state = "stopped"
            await self._close()

    async def _start(self) -> None:
        worker = self._settings.worker
        await self._directory.start()
        await ensure_topics(self._options, self._directory, (*worker.request_topics, worker.reply_topic))
        await self._outbox.start()
        await self._committed.start()
        self._engine.start()
        if self._control is not None:
            self._control.attach(self, self._queue, self._engine, self._directory)
        try:
            async with asyncio.timeout(self._settings.kafka.request_timeout_s * 2):
                await self._consumer.start()
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            raise TransportError(f"no connection to Kafka for reading: {error!r}") from error
        self._consumer.subscribe(list(worker.request_topics), listener=self._assignment)
        log.info("worker started", topics=worker.request_topics, group=worker.group_id, models=self._models.serving())

    async def _watch(
        self, stop: asyncio.Event, fetching: "asyncio.Task[None]", others: "list[asyncio.Task[None]]"
    ) -> None:
        """Wait for the order to stop, or for a loop that ends by itself, which it does only in failure."""
        tasks = [fetching, *others]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
            await self._drain_for_shutdown(fetching)
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain_for_rebalance(self) -> None:
        """Give back what has not run, let what runs be answered and acknowledged, and commit it."""
        deadline = time.monotonic() + self._settings.worker.drain_timeout_s
        async with self._fetching.taking_in:  # a fetch being taken in ends first
            for request in self._queue.clear():
                self._valve.let_out(request.held_rows, request.weight)
        await self._wait_until_idle(deadline)
        await self._committer.commit()

    async def _drain_for_shutdown(self, fetching: "asyncio.Task[None]") -> None:
        """Answer everything that was taken in, and commit it."""
        self.state = "draining"
        self._fetching.stop()
        deadline = time.monotonic() + self._settings.worker.shutdown_timeout_s
        await asyncio.wait([fetching], timeout=self._settings.worker.shutdown_timeout_s)
        log.info("draining", requests=len(self._queue), unacknowledged=self._outbox.pending)
        if not await self._wait_until_idle(deadline):
            log.warning("deadline reached while draining; the rest will be served again", held=repr(self._valve))
        await self._committer.commit(timeout_s=max(1.0, deadline - time.monotonic()))

    async def _wait_until_idle(self, deadline: float) -> bool:
        """Wait until nothing is queued, running or unacknowledged."""
        while self._queue or len(self._inferring) or self._outbox.pending:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_IDLE_POLL_S)
        return True

    async def _close(self) -> None:
        """Leave the group and disconnect, by a deadline: a dead broker answers nothing."""
        self._assignment.stop()
        steps = (self._consumer.stop(), self._outbox.close(2.0), self._committed.close(), self._directory.close())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(*steps, self._engine.close(2.0), return_exceptions=True)
