"""A model in a process of its own: what kills it costs the batch that ran, and not the worker.

The process is started again for the next batch. One that cannot be is `down`: its batches fail at once, and now and
then one of them tries again.
"""

import threading
import time
from typing import Final

from penstock.core.isolation.process import ModelProcess, Opening
from penstock.core.model import Array, NamedModel, Signature, Tensors
from penstock.schemas.errors import ModelCrashed, ModelDown, ModelError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_PAUSES_S: Final = (0.0, 0.5, 1.0)  # before each attempt to start it again, while a batch waits
_MAX_DOWN_S: Final = 30.0
_CLOSE_S: Final = 2.0


class IsolatedModel(NamedModel):
    """Runs a model in a process of its own.

    Args:
        name: what requests call the model.
        version: what requests call this version.
        opening: called in the process, each time that it is started; returns the model.
        run_timeout_s: after which a run is given up, and the process killed.

    Raises:
        ModelError: the model cannot be loaded.
    """

    def __init__(self, name: str, version: str, opening: Opening, *, run_timeout_s: float) -> None:
        super().__init__(name, version)
        self._opening = opening
        self._run_timeout_s = run_timeout_s
        self._closing = threading.Event()
        self._attempts = 0  # in a row that have failed since it has been down
        self._down: str | None = None
        self._again_at = 0.0  # monotonic seconds
        self._process: ModelProcess | None = ModelProcess(self._who, opening)
        self._signature = self._process.signature

    @property
    def steady(self) -> bool:
        """False, so that it never runs on the event loop: waiting for another process would hold that up."""
        return False

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return self._signature

    @property
    def pid(self) -> int | None:
        """The id of its process; None while it has none."""
        process = self._process
        return None if process is None else process.pid

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Run one batch, in a new process where the last one is gone.

        Raises:
            ModelError: the model failed, or is closed.
            ModelCrashed: its process died of the batch, or took too long for it and was killed.
            ModelDown: it has no process, and none can be started.
        """
        process = self._running()
        try:
            outputs: dict[str, Array] = process.run(dict(inputs), self._run_timeout_s)
        except ModelCrashed as error:
            self._process = None
            process.end(0.0)
            self._refuse_when_closed()
            log.error("model process died", model=self._who, pid=process.pid, why=str(error))
            raise
        return outputs

    def warm_up(self) -> None:
        """Run once on made-up rows.

        Raises:
            ModelError: as `run`.
        """
        self._running().warm_up()

    def close(self) -> None:
        """Let the model close and its process end, by a deadline; then kill it."""
        self._closing.set()
        process, self._process = self._process, None
        if process is not None:
            process.end(_CLOSE_S)

    def _running(self) -> ModelProcess:
        self._refuse_when_closed()
        process = self._process
        if process is not None:
            if process.alive:
                return process
            # Nothing ran: whoever killed it, it was no request.
            log.error("model process died while idle", model=self._who, pid=process.pid)
            process.end(0.0)
            self._process = None
        if self._down is not None and time.monotonic() < self._again_at:
            raise ModelDown(self._down)
        return self._started_again()

    def _started_again(self) -> ModelProcess:
        failure = ""
        for pause_s in _PAUSES_S if self._down is None else (0.0,):
            self._closing.wait(pause_s)
            self._refuse_when_closed()
            try:
                process = self._process = self._start()
            except ModelError as error:
                failure = str(error)
                log.error("model process cannot be started", model=self._who, error=failure)
                continue
            if self._closing.is_set():  # between its start and now nobody else knew of it
                process.end(0.0)
                self._refuse_when_closed()
            log.info("model process started again", model=self._who, pid=process.pid)
            self._down, self._attempts = None, 0
            return process
        self._attempts += 1
        self._again_at = time.monotonic() + min(2.0**self._attempts, _MAX_DOWN_S)
        self._down = f"{self._who} is down, its process cannot be started again: {failure}"
        raise ModelDown(self._down)

    def _start(self) -> ModelProcess:
        process = ModelProcess(self._who, self._opening)
        try:
            if process.signature != self._signature:
                raise ModelError(f"{self._who} takes or gives something else than it did before")
            process.warm_up()
        except BaseException:
            process.end(0.0)
            raise
        return process

    def _refuse_when_closed(self) -> None:
        if self._closing.is_set():
            raise ModelError(f"{self._who} is closed")

    def __repr__(self) -> str:
        return f"<IsolatedModel {self._who}{' closed' if self._closing.is_set() else ''}>"
