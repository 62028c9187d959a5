"""The service: one worker with its models and its health page, and the process around it. Read this first.

    settings -> health page -> models loaded and warm -> pipeline -> drained

`serve` is that, in any program with an event loop. `run` is for a process of its own: a first SIGTERM or SIGINT
drains, so that what was taken in is answered and committed; a second one ends the process at once, and what was not
committed is served again by whoever takes over.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from penstock.consumer.health import HealthServer
from penstock.consumer.interpreter import tune_interpreter
from penstock.consumer.loading_thread import in_loading_thread
from penstock.consumer.pipeline import Pipeline
from penstock.consumer.process_name import process_name
from penstock.consumer.renewing import Renewing
from penstock.consumer.settings import EmbeddedSettings
from penstock.consumer.startup import load_models
from penstock.consumer.suspects.journal import RunJournal
from penstock.consumer.watching.loop_watch import LoopWatch
from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable
from penstock.schemas.logger import Logger

if TYPE_CHECKING:
    from penstock.consumer.control.worker_control import WorkerControl

log = Logger(__name__)

_T = TypeVar("_T")

_BEAT_S: Final = 0.5
_BLOCKED_S: Final = 10.0  # a loop that has not turned for so long is not alive
_ONE_WISH_S: Final = 1.0
EXIT_AT_ONCE: Final = 130


class Service:
    """Runs one worker until it is told to stop.

        asyncio.run(Service(load_settings("penstock.toml")).run())

    Args:
        settings: of the whole service.
        models: by name, see `penstock.core.given_models`; None takes those of the repository.
        client_id: of this process alone; None makes one.
        port_offset: added to the HTTP port, for one of several processes.
        supervised: standard input is a supervisor's pipe; when it closes, the supervisor is gone and so are we.
        journal: file descriptor of the memory that the supervisor reads when this process has died; None where
            there is none.
    """

    def __init__(
        self,
        settings: EmbeddedSettings,
        *,
        models: Mapping[str, object] | None = None,
        client_id: str | None = None,
        port_offset: int = 0,
        supervised: bool = False,
        journal: int | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._client_id = client_id or process_name(settings.kafka.client_id)
        self.metrics.describe(
            client_id=self._client_id,
            pid=os.getpid(),
            group=settings.worker.group_id,
            request_topics=",".join(settings.worker.request_topics),
            reply_topic=settings.worker.reply_topic,
            processes=settings.worker.processes,
            bootstrap_servers=",".join(settings.kafka.bootstrap_servers),
        )
        self._models = models
        self._port_offset = port_offset
        self._supervised = supervised
        self._journal = None if journal is None else RunJournal(journal)
        self._stop = asyncio.Event()
        self._serving: Renewing | None = None
        self._control: WorkerControl | None = None
        self._doing = "models are loading"
        self._loop_watch = LoopWatch(self.metrics)
        self._signalled = float("-inf")

    def __repr__(self) -> str:
        return f"<Service {self._client_id} {self._serving!r}>"

    async def run(self) -> None:
        """Serve in a process of its own: signals end it, and the collector stays off the hot path.

        Raises:
            As `serve`.
        """
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self._on_signal)
        self._loop_watch.exit_after_s = self.settings.worker.blocked_exit_s or None
        await self.serve(when_loaded=tune_interpreter)

    async def serve(self, when_loaded: Callable[[], object] = lambda: None) -> None:
        """Serve until `stop` is called, then drain. What else the process is and does is left alone.

        Args:
            when_loaded: called once the models are loaded and warm.

        Raises:
            ConfigurationError, ModelError: something is wrong with the settings, a model or the HTTP port.
            TransportError: Kafka could not be reached at start, or a rebalance failed for good.
        """
        health = self._health()
        if self.settings.http.enabled:
            health.start()  # before the models: a probe learns that they are loading
            log.info("health and metrics", url=f"http://{self.settings.http.host}:{health.port}")
        self._loop_watch.start()
        background = [asyncio.create_task(self._keep_beating())]
        if self._supervised:
            background.append(asyncio.create_task(self._end_with_supervisor()))
        try:
            begun = await self._unless_stopped(self._begin())
            if begun is None:
                log.info("stopped before it served")
                return
            models, self._control = begun
            try:
                when_loaded()
                pipeline = partial(
                    Pipeline,
                    self.settings,
                    models,
                    self.metrics,
                    client_id=self._client_id,
                    control=self._control,
                    journal=self._journal,
                )
                self._serving = Renewing(pipeline, self._detach, self.metrics)
                await self._serving.run(self._stop)
            finally:
                if self._control is not None:
                    await self._control.close()
                models.close()
        finally:
            for task in background:
                task.cancel()
            self._loop_watch.stop()
            health.stop()
        log.info("stopped")

    def stop(self) -> None:
        """Drain and end."""
        if not self._stop.is_set():
            log.info("stopping", deadline_s=self.settings.worker.shutdown_timeout_s)
            self._stop.set()

    @property
    def pipeline(self) -> Pipeline | None:
        """The one that serves; None before there is one."""
        return self._serving.pipeline if self._serving is not None else None

    @property
    def not_ready(self) -> str | None:
        """Why it does not serve; None when it does."""
        if self.pipeline is None:
            return self._doing
        return self.pipeline.not_ready or (self._control.not_ready if self._control else None)

    def _on_signal(self) -> None:
        # Whoever signals a whole group of processes, as systemd does, reaches a child twice: directly, and through
        # its supervisor. That is one wish.
        if self._supervised and time.monotonic() - self._signalled < _ONE_WISH_S:
            return
        self._signalled = time.monotonic()
        if self._stop.is_set():
            log.warning("stopped at once")
            sys.stderr.flush()
            os._exit(EXIT_AT_ONCE)  # nothing that might hang may stand between the operator and the end
        self.stop()

    def _health(self) -> HealthServer:
        http = self.settings.http
        port = http.port + self._port_offset if http.port else 0
        return HealthServer(http.host, port, self.metrics.registry, live=self._not_live, ready=lambda: self.not_ready)

    def _not_live(self) -> str | None:
        silent_s = self._loop_watch.silent_s
        return None if silent_s < _BLOCKED_S else f"the event loop has not turned for {silent_s:.0f} s"

    async def _begin(self) -> "tuple[ModelTable, WorkerControl | None]":
        """Load the models: those that were commanded, where commands are followed, else those of the settings."""
        if not self.settings.control.enabled:
            load = partial(load_models, self.settings.models, self.metrics, self._models)
            return await in_loading_thread(load, discard=ModelTable.close), None
        from penstock.consumer.control.beginning import begin_control

        control = await begin_control(
            self.settings, self.metrics, self._models, client_id=self._client_id, say=self._say
        )
        return control.table, control

    async def _detach(self) -> None:
        if self._control is not None:
            await self._control.detach()

    def _say(self, doing: str) -> None:
        self._doing = doing

    async def _unless_stopped(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        """Return what the work returns, or None when the process was told to stop before."""
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        either: list[asyncio.Future[Any]] = [working, stopping]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            for task in either:
                task.cancel()
            await asyncio.wait(either)

    async def _keep_beating(self) -> None:
        while True:
            self._loop_watch.turn()
            if self.pipeline is not None:
                with contextlib.suppress(Exception):  # a gauge is not worth a heartbeat
                    self.pipeline.observe()
            await asyncio.sleep(_BEAT_S)

    async def _end_with_supervisor(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()
        log.warning("the supervisor is gone")
        self.stop()
