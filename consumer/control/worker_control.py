"""What a worker that follows commands has beside its pipeline.

    read      the control topic is read to its end
    load      what it asks for is loaded
    attach    the pipeline is there: changes reach it from now on
    close     the last report, and all connections

Each part has a task of its own, and none can end the worker: while Kafka, the store or a command fails, what serves
goes on serving, and the status says what is wrong.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.consumer.control.applying import Applying
from penstock.consumer.control.follower import Follower
from penstock.consumer.control.outcomes import Outcomes
from penstock.consumer.control.own_batching import policy_of
from penstock.consumer.control.own_status import OwnStatus, Running
from penstock.consumer.control.peers import Peers
from penstock.consumer.control.reporter import Reporter
from penstock.consumer.control.served_models import ServedModels
from penstock.consumer.control.shadowing import Shadowing
from penstock.consumer.control.stock import Stock
from penstock.consumer.control.wishes import Wishes
from penstock.consumer.model_gauges import ModelGauges
from penstock.consumer.pending import PendingRequest
from penstock.consumer.queue import RequestQueue
from penstock.consumer.settings import EmbeddedSettings
from penstock.core.batch import Batch
from penstock.core.engine import Inference, InferenceEngine
from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable
from penstock.schemas.control.specs import Batching, Lane, Throttle
from penstock.schemas.control.state import ControlState, Entry
from penstock.schemas.control.status import Demand
from penstock.schemas.control.trust import Trust
from penstock.schemas.errors import ModelError
from penstock.schemas.logger import Logger
from penstock.transport.topics import TopicDirectory

if TYPE_CHECKING:
    from penstock.consumer.pipeline import Pipeline

log = Logger(__name__)

_LAST_WORD_S: Final = 2.0


class WorkerControl:
    """Follows the control topic for one worker, and reports.

    Args:
        settings: of the whole service.
        metrics: where it is counted.
        stock: where versions come from.
        names: the models that the settings ask for.
        trust: of which service, and by whom.
        client_id: of this process alone; the worker's name in its reports.

    Attributes:
        table: the models, for the pipeline.
    """

    def __init__(
        self,
        settings: EmbeddedSettings,
        metrics: Metrics,
        stock: Stock,
        names: Iterable[str],
        trust: Trust,
        *,
        client_id: str,
    ) -> None:
        control, group = settings.control, settings.worker.group_id
        options: dict[str, Any] = {**settings.kafka.client_options(), "client_id": client_id}
        self._settings = settings
        self._options = options
        self.table = ModelTable(settings.models.default)
        self._names = tuple(names)
        self._metrics = metrics
        self._stock = stock
        self._gauges = ModelGauges(metrics)
        self._models = ServedModels(self.table, settings.models.max_bytes)
        self._wishes = Wishes(stock, self._names)
        self._applying = Applying(
            self._models, stock, self._wishes, self._changed, load_timeout_s=control.load_timeout_s
        )
        self._follower = Follower(
            options, control.topic_of(group), trust, metrics, on_deployment=self._wish, on_state=self._apply
        )
        self._applied = self._follower.state
        self._outcomes = Outcomes(self._wishes, self._models)
        self._status = OwnStatus(
            client_id,
            control.report_interval_s,
            follower=self._follower,
            outcomes=self._outcomes,
            applying=self._applying,
            models=self._models,
        )
        status_topic = control.status_topic_of(group)
        self._peers = Peers(options, status_topic, client_id)
        self._reporter = Reporter(
            options, status_topic, control.report_interval_s, lambda: self._status.report(self._applied)
        )
        self._pipeline: Pipeline | None = None
        self._queue: RequestQueue | None = None
        self._shadowing: Shadowing | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._reporting: asyncio.Task[None] | None = None
        metrics.control_lag.set_function(lambda: min(self._follower.lag_s, 1e9))
        metrics.model_bytes.set_function(lambda: self._models.bytes)

    def __repr__(self) -> str:
        return f"<WorkerControl {self._follower!r} {self._models!r}>"

    @property
    def not_ready(self) -> str | None:
        """Why what is wanted may have changed unheard; None when it is known."""
        return self._follower.stale

    async def read(self, timeout_s: float) -> None:
        """Read the control topic to its end, and follow and report from then on.

        Raises:
            ConfigurationError, TransportError: as `Follower.start`.
        """
        await self._follower.start(timeout_s)
        self._apply(self._follower.state)
        for part in (self._follower, self._peers):
            self._tasks.append(asyncio.create_task(part.run(), name=f"control {type(part).__name__}"))
        self._reporting = asyncio.create_task(self._reporter.run(), name="control Reporter")

    async def load(self) -> None:
        """Load what is wanted, or what can be loaded of what was wanted before.

        Raises:
            ModelError: a model of the settings has nothing that could serve.
        """
        await self._applying.settle()
        faults = [fault for name in self._names if (fault := self._outcomes.unserved(name))]
        if faults:
            raise ModelError("\n".join(faults))
        self._tasks.append(asyncio.create_task(self._applying.run(), name="control Applying"))

    def attach(
        self, pipeline: "Pipeline", queue: RequestQueue, engine: InferenceEngine, directory: TopicDirectory
    ) -> None:
        """Let changes reach a pipeline from now on; before it fetches anything.

        Args:
            pipeline: its throttles and lanes are set here, and its state is reported.
            queue: takes what models have of their own for gathering batches.
            engine: closes models that have served.
            directory: which topics there are; started.
        """
        self._pipeline, self._queue = pipeline, queue
        topic = f"{self._settings.worker.reply_topic}-shadow"
        self._shadowing = Shadowing(self._options, directory, self._metrics, topic=topic)
        self._status.running = Running(
            state=lambda: pipeline.state,
            partitions=lambda: pipeline.partitions.own,
            demand=self._demand,
            lanes=pipeline.lanes.report,
        )
        self._models.retire = engine.retire
        self._models.on_batching = self._set_batching
        self._models.on_shadows = self._shadowing.apply
        self._models.renew()
        self._apply(self._applied)

    async def detach(self) -> None:
        """Let go of a pipeline that has stalled; another one is to be attached."""
        if self._shadowing is not None:
            await self._shadowing.close()
            self._shadowing = None
        self._pipeline = None

    def offer(self, batch: Batch[PendingRequest], inference: Inference) -> None:
        """Show shadows a batch that was answered."""
        if self._shadowing is not None:
            self._shadowing.offer(batch, inference)

    async def catch_up(self, timeout_s: float) -> None:
        """Read what was commanded until now, before a partition is served.

        Raises:
            TransportError: the end was not reached by the deadline.
        """
        await self._follower.catch_up(timeout_s)

    async def close(self) -> None:
        """Say the last word, and disconnect."""
        tasks = [*self._tasks, *([self._reporting] if self._reporting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._status.running.state = lambda: "stopped"
        self._status.running.partitions = lambda: 0
        if self._shadowing is not None:
            await self._shadowing.close()
        await asyncio.gather(self._reporter.close(_LAST_WORD_S), self._follower.close(), return_exceptions=True)
        self._models.close()
        self._stock.close()

    def _wish(self, model: str, entry: Entry) -> None:
        self._wishes.note(model, entry)

    def _apply(self, state: ControlState) -> None:
        self._applied = state
        if self._pipeline is not None:
            throttles = {scope: each.spec for scope, each in state.throttles().items()}
            self._pipeline.throttling.apply({of: spec for of, spec in throttles.items() if isinstance(spec, Throttle)})
            lanes = {topic: each.spec for topic, each in state.lanes().items()}
            self._pipeline.lanes.apply({topic: spec for topic, spec in lanes.items() if isinstance(spec, Lane)})
        self._applying.wake()
        self._changed()

    def _changed(self) -> None:
        """Tell everybody, after any change."""
        pending = self._outcomes.pending()
        self.table.epoch = min(pending.values()) - 1 if pending else self._applied.epoch
        self._metrics.control_failed.set(len(self._outcomes.failures()))
        self._gauges.show(self.table)
        self._reporter.changed()

    def _demand(self) -> Mapping[str, Demand]:
        if self._pipeline is None:
            return {}
        self._pipeline.throttling.learn(self._peers.live(time.monotonic()))
        return self._pipeline.throttling.demand()

    def _set_batching(self, own: Mapping[str, Batching]) -> None:
        if self._queue is not None:
            base = self._queue.policy
            self._queue.set_policies({model: policy_of(batching, base) for model, batching in own.items()})
