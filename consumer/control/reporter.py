"""The reporter: says on the status topic what this worker does, each interval and after each change.

Nothing waits for it. One report is on its way at a time, and what changes meanwhile is in the next.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from penstock.schemas.control.status import WorkerStatus
from penstock.schemas.logger import Logger
from penstock.transport.producers import connect, stop

log = Logger(__name__)

_COALESCE_S: Final = 0.05
_SEND_S: Final = 5.0
_MAX_BATCH_BYTES: Final = 1_000_000
_STOP_S: Final = 1.0


class Reporter:
    """Publishes this worker's status.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: the status topic.
        interval_s: the longest time between two reports.
        status: returns what there is to say now.
    """

    def __init__(
        self, client_options: dict[str, Any], topic: str, interval_s: float, status: Callable[[], WorkerStatus]
    ) -> None:
        self._options = client_options
        self._topic = topic
        self._interval_s = interval_s
        self._status = status
        self._changed = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self._failing = False

    def __repr__(self) -> str:
        return f"<Reporter {self._topic}{' failing' if self._failing else ''}>"

    def changed(self) -> None:
        """Report soon."""
        self._changed.set()

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            began = time.monotonic()
            self._changed.clear()
            await self._report(_SEND_S)
            await asyncio.sleep(_COALESCE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, began + self._interval_s - time.monotonic())):
                    await self._changed.wait()

    async def close(self, timeout_s: float) -> None:
        """Say the last word, once `run` is cancelled, and disconnect."""
        if self._producer is not None:
            await self._report(timeout_s)
        await self._let_go()

    async def _report(self, timeout_s: float) -> None:
        try:
            # A client that is cancelled or timed out while it sends is in a state that nobody knows: it is thrown away.
            async with asyncio.timeout(timeout_s):
                if self._producer is None:
                    self._producer = await connect(self._options, _MAX_BATCH_BYTES, timeout_s)
                status = self._status()
                await self._producer.send_and_wait(
                    self._topic, status.encode(), key=status.worker.encode(), partition=0
                )
        except Exception as error:  # whatever it is, the worker serves on, and says so when it can
            if not self._failing:
                log.warning("this worker's status cannot be reported; trying again", error=repr(error))
            self._failing = True
            await self._let_go()
        else:
            self._failing = False

    async def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer, _STOP_S)
