"""A worker inside the test's own process and event loop."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

from penstock.consumer.pipeline import Pipeline
from penstock.consumer.settings import ServiceSettings
from penstock.consumer.startup import load_models
from penstock.core.configuration import load
from penstock.core.metrics import Metrics
from tests.support.lane import Lane
from tests.support.waiting import until
from tests.support.worker_process import variables

_numbers = itertools.count(1)


class InsideWorker:
    """One worker on a lane. An async context manager: ready inside, drained afterwards."""

    def __init__(self, lane: Lane, models: Path, default: str | None = "doubler", **settings: Any) -> None:
        self.settings = load(ServiceSettings, environ=variables(lane, models, default, **settings))
        self.metrics = Metrics()
        self._table = load_models(self.settings.models, self.metrics)
        self.worker = Pipeline(self.settings, self._table, self.metrics, client_id=f"inside-{next(_numbers)}")
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "InsideWorker":
        self._task = asyncio.create_task(self.worker.run(self._stop))
        await until(self._serves, within_s=20, what="a worker inside the test is ready")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _serves(self) -> bool:
        if self._task is not None and self._task.done():
            self._task.result()
        return self.worker.not_ready is None

    async def stop(self, within_s: float = 60.0) -> None:
        """Drain and end."""
        self._stop.set()
        if self._task is not None:
            task, self._task = self._task, None
            await asyncio.wait_for(task, within_s)
            self._table.close()

    def value(self, name: str) -> float:
        """The sum of a metric over its labels; `penstock_requests_total` and the like."""
        self.worker.observe()
        samples = (sample for metric in self.metrics.registry.collect() for sample in metric.samples)
        return sum(sample.value for sample in samples if sample.name == name)
