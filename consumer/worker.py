"""A worker inside a program that has an event loop, logs and signals of its own."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry

from penstock.consumer.process_name import process_name
from penstock.consumer.service import Service
from penstock.consumer.settings import EmbeddedSettings
from penstock.core.configuration import load
from penstock.core.repository_location import parse_location
from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_numbers: Final = itertools.count(1)
_ENDED: Final = "the worker has ended"
_POLL_S: Final = 0.01
_END_S: Final = 30.0  # beyond the drain's own deadline, after which the worker is cancelled


class Worker:
    """Serves models in the background of a program's own event loop. An async context manager.

        def double(inputs):  # arrays by name, in and out; the rows of several requests at once
            return {"y": inputs["x"] * 2}

        signature = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", (3,)),))

        async with Worker({"doubler": (double, signature)}, "localhost:9092", group_id="doublers") as worker:
            await worker.wait()  # raises what makes it fail; or do something else here

    Inside the block it serves: the models are warm, and the group has assigned partitions. At the end it answers what
    it has taken in, commits, and leaves the group. A failure in between is logged, and raised by `wait` and at the end
    of the block. Signals stay the program's own, and so does logging: lines come by Python's logging, or by structlog
    where that is set up, from `penstock` and `aiokafka`. `penstock worker` is the same in processes of its own.

    Args:
        models: a folder or URL of <model>/<version>/model.onnx or model.py; or by name one of: (function, Signature),
            an object with SIGNATURE and predict(inputs), a .onnx or .py file, a `CallableModel`. Functions run in a
            thread, one batch at a time. None serves what `settings` name. All are closed at the end.
        bootstrap_servers: Kafka, as "host:port,host:port"; by default localhost:9092.
        request_topics: what is read; by default "requests". Topics that are missing are made.
        reply_topic: where answers go unless a request says otherwise; by default "replies".
        group_id: the consumer group that shares the requests; required.
        settings: all settings at once, see `load_settings`, instead of these keywords and `overrides`.
        start_timeout_s: bound on the start, the loading of models included.
        **overrides: any other setting, as `section__name`: batching__max_delay_s=0.005. One of `http__...` turns on
            the health page, which is off otherwise.

    Attributes:
        settings: those in force.

    Raises:
        ConfigurationError: one line for each fault of the settings.
    """

    def __init__(
        self,
        models: str | Path | Mapping[str, Any] | None = None,
        bootstrap_servers: str | None = None,
        *,
        request_topics: str | Sequence[str] | None = None,
        reply_topic: str | None = None,
        group_id: str | None = None,
        settings: EmbeddedSettings | None = None,
        start_timeout_s: float = 120.0,
        **overrides: object,
    ) -> None:
        given = {
            "kafka.bootstrap_servers": bootstrap_servers,
            "worker.request_topics": request_topics,
            "worker.reply_topic": reply_topic,
            "worker.group_id": group_id,
            **{name.replace("__", ".", 1): value for name, value in overrides.items()},
        }
        folder = _location(models) if isinstance(models, str | Path) else None
        self.settings = _settings(settings, given, folder)
        self._start_timeout_s = start_timeout_s
        self._service = Service(
            self.settings,
            models=models if isinstance(models, Mapping) else None,
            client_id=f"{process_name(self.settings.kafka.client_id)}-{next(_numbers)}",
        )
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Worker {self.not_ready or 'serving'}: {', '.join(self.settings.worker.request_topics)}>"

    @property
    def not_ready(self) -> str | None:
        """Why it does not serve; None when it does."""
        if self._task is None:
            return "the worker was not started"
        return _ENDED if self._task.done() else self._service.not_ready

    @property
    def registry(self) -> CollectorRegistry:
        """Its metrics, as for `prometheus_client.generate_latest(worker.registry)`."""
        return self._service.metrics.registry

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        except Exception:
            if error is None:  # else the program's own error is the one to hear of; this one has been logged
                raise

    async def start(self) -> None:
        """Load the models, join the group, and return when requests are served.

        Raises:
            ConfigurationError, ModelError: something is wrong with a setting or a model.
            TransportError: Kafka cannot be reached, or the group has assigned no partitions in time.
            RuntimeError: it was started before.
        """
        if self._task is not None:
            raise RuntimeError("a worker is started once; make another one")
        self._task = asyncio.create_task(self._service.serve(), name="penstock-worker")
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await self._until_ready()
        except BaseException as error:
            why = self.not_ready
            await self._abort(self._task)
            if isinstance(error, TimeoutError):
                raise TransportError(f"the worker does not serve after {self._start_timeout_s:g} s: {why}") from None
            raise
        if self._task.done():
            self._task.result()
        self._task.add_done_callback(_report)

    async def wait(self) -> None:
        """Wait until it has ended: `stop` was called, or it failed.

        Raises:
            TransportError: a rebalance failed for good, or the group refuses this worker.
            RuntimeError: it was never started.
        """
        if self._task is None:
            raise RuntimeError("the worker was not started: use `async with`, or await start()")
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def stop(self) -> None:
        """Answer and commit what was taken in, within `worker.shutdown_timeout_s`; leave the group and disconnect.

        Cancelled meanwhile, it ends at once; what was not committed is served again by whoever takes over.

        Raises:
            As `wait`, if it had failed.
        """
        if self._task is None:
            return
        self._service.stop()
        try:
            async with asyncio.timeout(self.settings.worker.shutdown_timeout_s + _END_S):
                await self.wait()
        except (asyncio.CancelledError, TimeoutError):
            await self._abort(self._task)
            raise

    async def _until_ready(self) -> None:
        while True:
            if self.not_ready in (None, _ENDED):
                return
            await asyncio.sleep(_POLL_S)

    async def _abort(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        await asyncio.wait([task], timeout=_END_S)


def _report(task: "asyncio.Task[None]") -> None:
    """Log a failure at once: the program may wait for something else."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the worker failed", error=str(error))


def _location(models: str | Path) -> Path | str:
    try:
        return parse_location(models)
    except ValueError as error:
        raise ConfigurationError(f"models: {error}") from None


def _settings(
    settings: EmbeddedSettings | None, given: Mapping[str, Any], folder: Path | str | None
) -> EmbeddedSettings:
    """Make the settings of what a worker was given; in `given` by `section.name`, None is one that was not."""
    named = {key: value for key, value in given.items() if value is not None}
    if settings is None:
        settings = _from_keywords(named)
    elif named:
        raise ConfigurationError(f"give settings, or keywords, not both; given too: {', '.join(named)}")
    if settings.worker.processes != 1:
        raise ConfigurationError(
            f"worker.processes is {settings.worker.processes}, but a worker inside a program is one: "
            "set it to 1, or run `penstock worker`"
        )
    if folder is None:
        return settings
    return settings.model_copy(update={"models": settings.models.model_copy(update={"repository": folder})})


def _from_keywords(named: Mapping[str, Any]) -> EmbeddedSettings:
    # A health page is for whoever asks for one.
    wanted = {"http.enabled": any(key.startswith("http.") for key in named), **named}
    faults = []
    if "worker.group_id" not in named:
        faults.append("group_id: required; it names the consumer group that shares the requests")
        wanted["worker.group_id"] = "unnamed"  # so that the other settings are checked all the same
    try:
        settings = load(EmbeddedSettings, environ={}, overrides=wanted)
    except ConfigurationError as error:
        faults += str(error).splitlines()
    if faults:
        raise ConfigurationError("\n".join(faults))
    return settings
