"""The inference engine: a thread of its own that runs one batch after another.

The thread gets what releases the interpreter lock: stacking arrays and the model itself. Decoding and encoding
stay on the event loop's side, because handing them over costs more than it gains. The same holds for a few rows of
a model that is known to be quick: two hand-overs between threads take about 0.8 ms where the run itself takes 0.04.
Such a batch runs at once, on the event loop's thread, for less time than the loop spends on decoding a step.
"""

import asyncio
import queue
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from penstock.core.batch import Batch
from penstock.core.model import Array, Model, Signature
from penstock.core.model_table import ModelTable, close_model
from penstock.core.witness import Witness
from penstock.schemas.errors import ErrorCode, ModelDown, ModelError, PenstockError, RequestError, without_frames

_FEW_ROWS: Final = 16
_QUICK_S: Final = 0.001  # decoding one step holds the event loop for twice as long
_PROVEN: Final = 32  # points at which a model counts as quick: a quick run of few rows is one, up to twice as many
_SLOW_COSTS: Final = 16  # points; a machine that has a bad moment now and then makes no model slow, one run in ten does


@dataclass(frozen=True, slots=True)
class Inference:
    """What became of a batch.

    Attributes:
        model: the version that ran; None when there was nothing to run or no such model.
        outputs: name -> array, first dimension the rows of the batch when the model is batched.
        error: why it failed; None when it ran.
        epoch: offset of the control command that was in force when it was handed over; -1 where none was.
        waited_s: seconds from the arrival of the oldest request to the start of the run.
        ran_s: seconds the model took.
    """

    model: Model | None
    outputs: dict[str, Array]
    error: PenstockError | None
    waited_s: float
    ran_s: float
    epoch: int = -1
    finite_only: bool = False


class _Job(NamedTuple):
    """A batch, the version that runs it or why none does, and what was in force when that was decided."""

    batch: Batch[Any]
    model: Model | RequestError
    epoch: int
    finite_only: bool


class InferenceEngine:
    """Runs batches on a thread of its own, one at a time, in the order submitted.

    Args:
        models: read once per batch, when it is handed over, so that a switch never splits one.
        witness: told of each run of a model; None tells nobody.
    """

    def __init__(self, models: ModelTable, witness: Witness | None = None) -> None:
        self._models = models
        self._witness = witness
        self._down: WeakKeyDictionary[Model, str] = WeakKeyDictionary()
        self._handed_over = 0  # batches the thread has not answered yet; changes on the event loop only
        # How quick each model has been of late; one that is dropped takes its points along.
        self._points: WeakKeyDictionary[Model, int] = WeakKeyDictionary()
        self._in_hand: dict[asyncio.Future[Inference], Model] = {}  # batches that may still need their model
        self._leaving: dict[Model, asyncio.Future[None]] = {}  # models to be closed once none of those needs them
        self._inbox: queue.SimpleQueue[tuple[_Job | Model, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="penstock-engine", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch[Any], model: Model | None = None) -> "asyncio.Future[Inference]":
        """Hand a batch over, or run it at once if that is sure to be quick; must be called on the event loop.

        Args:
            batch: what is to run.
            model: runs it; None is whichever version serves now.

        Returns:
            A future of what became of it. It never holds an exception: failures are in `Inference.error`. A model that
            failed stays open until `release` is called with it, so that parts of the batch can run once more.
        """
        future, job = asyncio.get_running_loop().create_future(), self._job(batch, model)
        if not isinstance(job.model, RequestError):
            self._in_hand[future] = job.model
        at_once = self._handed_over == 0 and self._is_quick(job)
        self._handed_over += 1
        if at_once:
            self._taken_back(future, self._run(job, future), batch)
        else:
            self._inbox.put((job, future))
        return future

    def retire(self, model: Model) -> "asyncio.Future[None]":
        """Close a model, which is in the table no more, after the batches that were handed over for it.

        Returns:
            A future that is done when it is closed.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._leaving[model] = future
        self._let_leave(model)
        return future

    def release(self, future: "asyncio.Future[Inference]") -> None:
        """Say that nothing of a batch will run again; without effect if that was clear already."""
        model = self._in_hand.pop(future, None)
        if model is not None and self._leaving:
            self._let_leave(model)

    def _let_leave(self, model: Model) -> None:
        if model in self._leaving and model not in self._in_hand.values():
            self._inbox.put((model, self._leaving.pop(model)))

    @property
    def down(self) -> str | None:
        """Why a model cannot run, as of its last batch; None when all can."""
        return next(iter(self._down.values()), None)

    async def close(self, timeout_s: float) -> bool:
        """Stop after the batches submitted; False when the thread was still busy at the deadline."""
        if self._thread is None:
            return True
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join, timeout_s)
        if self._thread.is_alive():
            return False
        for model in self._leaving:
            close_model(model)
        self._leaving.clear()
        return True

    def _work(self) -> None:
        while (item := self._inbox.get()) is not None:
            job, future = item
            if isinstance(job, _Job):
                call = partial(self._taken_back, future, self._run(job, future), job.batch)
            else:
                close_model(job)
                call = partial(_settle, future)
            # The loop may have been closed on a process that is being stopped the hard way.
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(call)

    def _run(self, job: _Job, future: "asyncio.Future[Inference]") -> Inference:
        if future.cancelled():
            return Inference(None, {}, None, 0.0, 0.0)
        job.batch.expire(time.monotonic())  # it may have waited long behind slow ones
        if self._witness is not None:
            self._witness.begins(job.batch)
        return _run(job)

    def _taken_back(self, future: "asyncio.Future[Inference]", ran: Inference, batch: Batch[Any]) -> None:
        self._handed_over -= 1
        if self._witness is not None:
            self._witness.ends(batch)
        self._answer(future, ran, batch.rows)

    def _answer(self, future: "asyncio.Future[Inference]", inference: Inference, rows: int) -> None:
        model = inference.model
        if isinstance(inference.error, ModelDown) and model is not None:
            self._down[model] = str(inference.error)
        elif self._down and model is not None:
            self._down.pop(model, None)
        if model is not None and model.steady and rows <= _FEW_ROWS:
            points = self._points.get(model, 0) + (1 if inference.ran_s < _QUICK_S else -_SLOW_COSTS)
            self._points[model] = min(max(points, 0), 2 * _PROVEN)
        if future.done() or inference.error is None or isinstance(inference.error, RequestError):
            self.release(future)  # nobody will run parts of it
        if not future.done():
            future.set_result(inference)

    def _job(self, batch: Batch[Any], model: Model | None = None) -> _Job:
        models = self._models
        return _Job(
            batch,
            self._model_for(batch) if model is None else model,
            models.epoch,
            models.refuses_not_finite(batch.key.model),
        )

    def _model_for(self, batch: Batch[Any]) -> Model | RequestError:
        key = batch.key
        try:
            model = self._models.resolve(key.model, batch.version or key.version)
        except RequestError as error:
            return without_frames(error)
        if key.signature is None or model.signature is key.signature or _alike(model.signature, key.signature):
            return model
        text = f"the request was read for another version than {model.name}@{model.version}, which takes other inputs"
        return RequestError(ErrorCode.BAD_INPUT, text)

    def _is_quick(self, job: _Job) -> bool:
        if job.batch.rows == 0 or isinstance(job.model, RequestError):
            return True  # nothing will run
        return job.batch.rows <= _FEW_ROWS and self._points.get(job.model, 0) >= _PROVEN


def _run(job: _Job) -> Inference:
    batch, model, epoch, finite_only = job
    start = time.monotonic()
    waited = start - batch.arrived
    if batch.rows == 0:
        return Inference(None, {}, None, waited, 0.0, epoch)
    if isinstance(model, RequestError):
        return Inference(None, {}, model, waited, 0.0, epoch)
    try:
        outputs = model.run(batch.stack())
        _check(model, outputs, batch.rows)
    except (RequestError, ModelError) as error:
        return Inference(model, {}, without_frames(error, noted=True), waited, time.monotonic() - start, epoch)
    # A model is somebody else's code: whatever it raises, a sys.exit() too, is an answer and not this thread's end.
    except BaseException as error:
        failure = ModelError(f"{type(error).__name__} while running")
        failure.__cause__ = without_frames(error, noted=True)
        return Inference(model, {}, failure, waited, time.monotonic() - start, epoch)
    return Inference(model, outputs, None, waited, time.monotonic() - start, epoch, finite_only)


def _alike(model: Signature, read_for: Signature) -> bool:
    """Tell whether rows read by one signature suit another one; each model's own bound is held when a batch forms."""
    return replace(model, max_rows=None) == replace(read_for, max_rows=None)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _check(model: Model, outputs: dict[str, Array], rows: int) -> None:
    if not model.signature.batched:
        return
    for name, array in outputs.items():
        if array.ndim == 0 or array.shape[0] != rows:
            raise ModelError(f"output {name!r} has shape {list(array.shape)} for a batch of {rows} rows")
