"""The pipeline of a worker: one member of the group, from fetched records to committed offsets.

    Fetching -> Intake -> RequestQueue -> Inferring -> InferenceEngine -> Outbox -> PartitionProgress -> Committer

Three tasks carry that: the fetch loop, the inference loop and the committer's. None waits for another's work: they
meet at the queue, at the outbox and at the progress of each partition. What bounds memory is the valve, which
counts every request from its intake to the acknowledgement of its outcome.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from aiokafka import errors as kafka_errors

from penstock.consumer.assignment import Assignment
from penstock.consumer.backpressure import Bounds, Valve
from penstock.consumer.control.lanes import Lanes
from penstock.consumer.control.partitions import Partitions
from penstock.consumer.control.steering import Steering
from penstock.consumer.control.throttling import Throttling
from penstock.consumer.delivery import delivery_of
from penstock.consumer.draining import Draining
from penstock.consumer.failure_cap.gate import FailureGate
from penstock.consumer.fetching import Fetching
from penstock.consumer.inferring import Inferring
from penstock.consumer.intake import Intake
from penstock.consumer.lag_gauges import LagGauges
from penstock.consumer.lost_requests import LostRequests
from penstock.consumer.member import REBALANCE_TIMEOUT_S, member
from penstock.consumer.model_gauges import ModelGauges
from penstock.consumer.outbox import Outbox
from penstock.consumer.pipeline_gauges import show_pipeline
from penstock.consumer.queue import RequestQueue
from penstock.consumer.routes import ReplyRouter
from penstock.consumer.settings import EmbeddedSettings
from penstock.consumer.startup import ensure_topics
from penstock.consumer.suspects.journal import RunJournal
from penstock.consumer.suspects.topic import SuspectsReader
from penstock.consumer.watching.watchdog import Watchdog
from penstock.core.batcher import BatchPolicy, MicroBatcher
from penstock.core.engine import InferenceEngine
from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.topics import TopicDirectory

if TYPE_CHECKING:
    from penstock.consumer.control.worker_control import WorkerControl

log = Logger(__name__)

_CLOSE_S: Final = 5.0  # to leave the group and disconnect, after the deadline of the drain


class Pipeline:
    """Serves the requests of the partitions that the group assigns to it.

    Args:
        settings: of the whole service.
        models: loaded and warm.
        metrics: where everything is counted.
        client_id: of this process alone, so that its supervisor can find its membership.
        control: follows commands; None where none are followed.
        journal: notes what runs, for a supervisor; None where there is none.

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
        journal: RunJournal | None = None,
    ) -> None:
        worker = settings.worker
        self._control = control
        self._settings = settings
        self._lags = LagGauges(metrics)
        self.state = "starting"
        options = {**settings.kafka.client_options(), "client_id": client_id}
        self._options = options
        self._models = models
        self._engine = InferenceEngine(models, journal)
        self._queue = RequestQueue(MicroBatcher(BatchPolicy(**settings.batching.model_dump()), models.is_ready))
        bounds = Bounds(
            max_bytes=worker.max_buffered_bytes,
            max_rows=worker.max_buffered_rows,
            resume_fraction=worker.resume_fraction,
        )
        self._valve = Valve(bounds)
        self._directory = TopicDirectory(options)
        router = ReplyRouter(self._directory, worker.reply_topic, settings.may_reply_to)
        self._consumer = member(settings.worker, options)
        self._gate = FailureGate.of(worker, metrics, models, lambda: self._draining.idle)
        delivery = delivery_of(settings, options, self._consumer, lambda: self._assignment.open, metrics)
        self._committed, self._committer = delivery.committed, delivery.committer
        self._outbox = Outbox(
            worker,
            options,
            directory=self._directory,
            router=router,
            metrics=metrics,
            gate=self._gate,
            on_finished=self._valve.let_out,
            transacting=delivery.transacting,
        )
        catch_up = control.catch_up if control else None
        self._deaths = SuspectsReader(options, worker.group_id, self._directory, before=catch_up)
        self._assignment = Assignment(
            self._consumer,
            self._committed,
            lambda: self._draining.for_rebalance(),  # noqa: PLW0108  # it is made last
            beginning=worker.auto_offset_reset == "earliest",
            timeout_s=settings.kafka.request_timeout_s,
            before_opening=self._deaths.catch_up,
            after_closing=delivery.after_closing,
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
            gate=self._gate,
            client_options=options,
            steering=Steering(self._consumer, self.partitions, self.throttling, self.lanes),
            lost=LostRequests(
                self._consumer, self._assignment.reopen, metrics, timeout_s=settings.kafka.request_timeout_s
            ),
        )
        self._watchdog = Watchdog(
            consumer=self._consumer,
            opened=lambda: self._assignment.open if self._assignment.assigned else None,
            has_room=lambda: not self._fetching.full,
            topic=worker.request_topics[0],
            metrics=metrics,
            limit_s=worker.stall_timeout_s,
            rebalance_s=REBALANCE_TIMEOUT_S,
        )
        offer = control.offer if control else None
        suspects = self._deaths.suspects
        budget_s = settings.models.retry_budget_s
        self._inferring = Inferring(
            self._queue, self._engine, self._outbox, models, offer, suspects=suspects, retry_budget_s=budget_s
        )
        self._draining = Draining(
            worker,
            fetching=self._fetching,
            queue=self._queue,
            inferring=self._inferring,
            outbox=self._outbox,
            valve=self._valve,
            committer=self._committer,
        )
        models.on_change = self._queue.wake
        if control is None:  # else it shows what changes
            ModelGauges(metrics).show(models)
        show_pipeline(metrics, self._valve, bounds, self._assignment)

    def __repr__(self) -> str:
        return f"<Pipeline {self.state} {self._assignment!r} {self._valve!r}>"

    @property
    def not_ready(self) -> str | None:
        """Why it does not serve; None when it has an assignment (possibly of no partition) and all models are warm."""
        if self.state != "running":
            return f"the worker is {self.state}"
        if not self._assignment.assigned:
            return "the group has assigned no partitions yet"
        return self._engine.down or self._gate.reason

    def observe(self) -> None:
        """Renew the lag of the open partitions; called about twice a second."""
        self._lags.show(self._assignment.open, self._consumer.highwater)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain within the shutdown deadline.

        Raises:
            TransportError: Kafka could not be reached at start, or a rebalance failed for good.
            StalledError: a part stands still, and another pipeline has to take its place.
        """
        try:
            await self._start()
            fetching = asyncio.create_task(self._fetching.run(), name="fetching")
            others = [
                asyncio.create_task(self._inferring.run(), name="inferring"),
                asyncio.create_task(self._committer.run(), name="committer"),
                asyncio.create_task(self._watchdog.run(), name="watchdog"),
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
            self.state = "draining"
            await self._draining.for_shutdown(fetching)
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self) -> None:
        """Leave the group and disconnect, by a deadline: a dead broker answers nothing."""
        self._assignment.stop()
        steps = (self._consumer.stop(), self._outbox.close(2.0), self._committed.close(), self._directory.close())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(*steps, self._deaths.close(), self._engine.close(2.0), return_exceptions=True)
