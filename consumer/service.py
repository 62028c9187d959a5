"""The service: one worker process with its models, its health page and its signals. Read this first.

    settings -> models loaded and warm -> health page -> worker -> drained

A first SIGTERM or SIGINT drains: what was taken in is answered and committed. A second one ends the process at
once; what was not committed is served again by whoever takes over.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
import time
from functools import partial
from typing import Any, Final

import structlog

from penstock.consumer.health import HealthServer
from penstock.consumer.settings import ServiceSettings
from penstock.consumer.startup import load_models
from penstock.consumer.worker import Worker
from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable

log = structlog.get_logger(__name__)

_BEAT_S: Final = 0.5
_BLOCKED_S: Final = 10.0  # a loop that has not turned for so long is not alive
EXIT_AT_ONCE: Final = 130


class Service:
    """Runs one worker until it is told to stop.

    Args:
        settings: of the whole service.
        client_id: of this process alone; None makes one.
        port_offset: added to the HTTP port, for one of several processes.
        supervised: standard input is a supervisor's pipe; when it closes, the supervisor is gone and so are we.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        client_id: str | None = None,
        port_offset: int = 0,
        supervised: bool = False,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._client_id = client_id or f"{settings.kafka.client_id}-{os.getpid()}"
        self._port_offset = port_offset
        self._supervised = supervised
        self._stop = asyncio.Event()
        self._worker: Worker | None = None
        self._beat = time.monotonic()

    def __repr__(self) -> str:
        return f"<Service {self._client_id} {self._worker!r}>"

    def stop(self) -> None:
        """Drain and end; the second call ends the process at once."""
        if self._stop.is_set():
            log.warning("stopped at once")
            sys.stderr.flush()
            os._exit(EXIT_AT_ONCE)  # nothing that might hang may stand between the operator and the end
        log.info("stopping", deadline_s=self.settings.worker.shutdown_timeout_s)
        self._stop.set()

    async def run(self) -> None:
        """Serve.

        Raises:
            ConfigurationError, ModelError: something is wrong with the settings, a model or the HTTP port.
            TransportError: Kafka could not be reached at start, or a rebalance failed for good.
        """
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self.stop)
        health = self._health()
        if self.settings.http.enabled:
            health.start()  # before the models: a probe learns that they are loading
            log.info("health and metrics", url=f"http://{self.settings.http.host}:{health.port}")
        background = [asyncio.create_task(self._keep_beating())]
        if self._supervised:
            background.append(asyncio.create_task(self._end_with_supervisor()))
        models = None
        try:
            models = await self._load_models()
            if models is None:
                log.info("stopped while models were loading")
                return
            self._worker = Worker(self.settings, models, self.metrics, client_id=self._client_id)
            keep_collector_out_of_the_way()
            await self._worker.run(self._stop)
        finally:
            for task in background:
                task.cancel()
            health.stop()
            if models is not None:
                models.close()
        log.info("stopped")

    def _health(self) -> HealthServer:
        http = self.settings.http
        port = http.port + self._port_offset if http.port else 0
        return HealthServer(http.host, port, self.metrics.registry, live=self._not_live, ready=self._not_ready)

    def _not_live(self) -> str | None:
        silent_s = time.monotonic() - self._beat
        return None if silent_s < _BLOCKED_S else f"the event loop has not turned for {silent_s:.0f} s"

    def _not_ready(self) -> str | None:
        return "models are loading" if self._worker is None else self._worker.not_ready

    async def _load_models(self) -> ModelTable | None:
        """Load the models in a thread that does not outlive a process told to stop; None when it was."""
        loop = asyncio.get_running_loop()
        loaded: asyncio.Future[ModelTable] = loop.create_future()

        def load() -> None:
            try:
                table = load_models(self.settings.models, self.metrics)
                call: partial[Any] = partial(loaded.set_result, table)
            except Exception as error:
                call = partial(loaded.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(call)

        threading.Thread(target=load, name="penstock-loading", daemon=True).start()
        stopping = asyncio.create_task(self._stop.wait())
        either: list[asyncio.Future[Any]] = [loaded, stopping]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        return loaded.result() if loaded.done() else None

    async def _keep_beating(self) -> None:
        while True:
            self._beat = time.monotonic()
            if self._worker is not None:
                with contextlib.suppress(Exception):  # a gauge is not worth a heartbeat
                    self._worker.observe()
            await asyncio.sleep(_BEAT_S)

    async def _end_with_supervisor(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()
        log.warning("the supervisor is gone")
        if not self._stop.is_set():
            self.stop()


def keep_collector_out_of_the_way() -> None:
    """Spare the hot path the cyclic collector: what is loaded is never looked at again, and young runs are rare.

    Decoding makes many lists and no cycles; with the default threshold the collector takes half of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
