"""A pipeline, and another one in its place when a part of it has stalled."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from penstock.consumer.pipeline import Pipeline
from penstock.consumer.watching.watchdog import StalledError
from penstock.core.metrics import Metrics
from penstock.schemas.logger import Logger

log = Logger(__name__)

_MOST: Final = 3  # pipelines that may stall ...
_WITHIN_S: Final = 600.0  # ... in this time; beyond that a new process may help, or a person


class Renewing:
    """Runs one pipeline after another. What was in flight in one that stalled is served again.

    Args:
        make: makes a pipeline.
        part: called between two of them: whoever has hold of the old one lets go.
        metrics: where new beginnings are counted.

    Attributes:
        pipeline: the one that runs, or is to run next; None before.
    """

    def __init__(self, make: Callable[[], Pipeline], part: Callable[[], Awaitable[None]], metrics: Metrics) -> None:
        self._make = make
        self._part = part
        self._metrics = metrics
        self._stalled: deque[float] = deque(maxlen=_MOST)
        self.pipeline: Pipeline | None = None

    def __repr__(self) -> str:
        return f"<Renewing {self.pipeline!r}>"

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            StalledError: pipelines stall again and again.
            TransportError: as `Pipeline.run`.
        """
        while True:
            self.pipeline = self._make()
            try:
                return await self.pipeline.run(stop)
            except StalledError as error:
                if self._often():
                    raise
                log.error("a part stands still; the pipeline begins anew", why=str(error))
                self._metrics.restarts.inc()
                await self._part()
            if stop.is_set():
                return None

    def _often(self) -> bool:
        now = time.monotonic()
        often = len(self._stalled) == _MOST and now - self._stalled[0] < _WITHIN_S
        self._stalled.append(now)
        return often
