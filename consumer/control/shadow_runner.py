"""One shadow: a version that runs copies of requests on a thread of its own, behind the live answers.

What it is given waits in a bounded queue; what does not fit is dropped. So a shadow that is slow, hangs or fails costs
the live version nothing but what two threads of one process share:

- The interpreter lock. A model that lets go of it, as ONNX Runtime and numpy do, is in nobody's way. One that computes
  in Python is: it gets about every other slice of the interpreter, and no thread can help that. Each time the event
  loop wants the lock back it waits for a slice (0.5 ms in a worker process, 5 ms inside somebody's program).
- The cores. On Linux the thread is nicer than the others, by a little: a thread that holds the lock and gets no core
  would hold the event loop up as well. Threads that a runtime makes for itself when it loads a model are not nicer.
"""

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from penstock.consumer.control.shadow_answering import ShadowAnswering, takes
from penstock.consumer.control.shadow_copies import Answer, Offered, share_of
from penstock.core.metrics import Metrics
from penstock.core.model import Model, Signature
from penstock.core.model_table import close_model
from penstock.schemas.errors import without_frames
from penstock.schemas.logger import Logger

log = Logger(__name__)

_NICER: Final = 5  # a third of the processor time that a thread gets which is not

OnAnswers = Callable[[Sequence[Answer], Callable[[int], object]], object]


@dataclass(frozen=True, slots=True)
class ShadowTarget:
    """A version that gets copies of requests, and whose answers nobody waits for.

    Attributes:
        model: loaded and warm, an object of its own: no other thread may run it.
        share: part of the keys whose requests it gets, above 0 and at most 1.
        topic: where its answers go; None is the service's own topic for shadows.
    """

    model: Model
    share: float = 1.0
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class ShadowBounds:
    """What a shadow may hold.

    Attributes:
        max_rows, max_bytes: of what waits or runs. A batch is taken in any case when nothing does.
        max_reply_bytes: a larger answer becomes REPLY_TOO_LARGE.
    """

    max_rows: int = 8192
    max_bytes: int = 32 << 20
    max_reply_bytes: int = 900_000


class ShadowRunner:
    """Runs one shadow. To be made, and called, on the event loop.

    Args:
        target: what runs; the model belongs to the runner from now on, which closes it after its last run.
        topic: where its answers go.
        bounds: of what it may hold.
        metrics: where its requests are counted.
        on_answers: called on the event loop with records, and whom to tell how many of them were dropped.

    Attributes:
        model: what runs.
        topic: where its answers go.
        closed: done when the thread has ended and the model is closed.
    """

    def __init__(
        self, target: ShadowTarget, topic: str, bounds: ShadowBounds, metrics: Metrics, on_answers: OnAnswers
    ) -> None:
        self.model = target.model
        self.change(target, topic)
        self._bounds = bounds
        self._metrics = metrics
        self._on_answers = on_answers
        self._rows = self._bytes = 0  # waiting or running; change on the event loop only
        self._read_as: Signature | None = None
        self._fitting = self._told_unfit = False
        self._dropping = False
        self._labels = self.model.name, self.model.version
        self._answering = ShadowAnswering(self.model, metrics, bounds.max_reply_bytes)
        self._inbox: queue.SimpleQueue[Offered | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._work, name="penstock-shadow", daemon=True).start()

    def __repr__(self) -> str:
        return f"<ShadowRunner {'@'.join(self._labels)} {self._rows} rows>"

    def change(self, target: ShadowTarget, topic: str) -> None:
        """Do as a target with the same model says, from the next run on."""
        self.topic = topic
        self._share = target.share
        self._split = share_of(target.share)

    def offer(self, given: Offered) -> None:
        """Take an answered batch, or drop it when the shadow is behind."""
        live = given.live.model
        if live is None or live.version == self.model.version or not self._fits(given.key.signature or live.signature):
            return
        full = self._rows + given.rows > self._bounds.max_rows or self._bytes + given.weight > self._bounds.max_bytes
        if full and self._rows:
            self._dropped("busy", given.requests * self._share)
            return
        self._rows += given.rows
        self._bytes += given.weight
        self._inbox.put(given)

    def drain(self) -> None:
        """End after what was offered."""
        self._inbox.put(None)

    def end(self) -> None:
        """End after the run that is going on, and drop the rest."""
        self._dropping = True
        self._inbox.put(None)

    def _fits(self, read_as: Signature) -> bool:
        if read_as is not self._read_as:
            self._read_as, self._fitting = read_as, takes(self.model.signature, read_as)
        if not self._fitting and not self._told_unfit:
            self._told_unfit = True
            self._metrics.shadow_requests.labels(*self._labels, "unfit").inc()
            log.warning("shadow takes other inputs than the live version and gets none", model="@".join(self._labels))
        return self._fitting

    def _work(self) -> None:
        _make_way()
        while (given := self._inbox.get()) is not None:
            answers: Sequence[Answer] = ()
            try:
                if self._dropping:
                    self._dropped("stopped", given.requests * self._share)
                else:
                    answers = self._answering.answers(given, self._split, self.topic)
            except BaseException as error:  # whatever it is, the thread has other batches to see to
                self._answering.failed(given.requests, without_frames(error))
            self._call(partial(self._taken_back, given.rows, given.weight, answers))
            del given, answers  # while it waits for the next one, nothing is kept
        close_model(self.model)
        self._call(partial(_settle, self.closed))

    def _taken_back(self, rows: int, weight: int, answers: Sequence[Answer]) -> None:
        self._rows -= rows
        self._bytes -= weight
        if answers:
            self._on_answers(answers, partial(self._dropped, "unpublished"))

    def _dropped(self, reason: str, requests: float) -> None:
        self._metrics.shadow_dropped.labels(*self._labels, reason).inc(requests)

    def _call(self, call: Callable[[], Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(call)


def _make_way() -> None:
    """Lower the priority of this thread, where a thread can have its own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICER)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
