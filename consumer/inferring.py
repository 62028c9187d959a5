"""The inference loop: batches from the queue through the engine to the outbox."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Final, NamedTuple

from penstock.consumer.narrowing import LONE_TRIES, Part, blame, next_parts, poison
from penstock.consumer.outages import Outages
from penstock.consumer.outbox import Outbox
from penstock.consumer.pending import PendingRequest
from penstock.consumer.placing import place
from penstock.consumer.queue import RequestQueue
from penstock.consumer.suspects.suspects import Suspects
from penstock.core.batch import Batch
from penstock.core.engine import Inference, InferenceEngine
from penstock.core.model_table import ModelTable
from penstock.schemas.errors import PenstockError, TransientModelError
from penstock.schemas.logger import Logger

log = Logger(__name__)

# Batches handed to the engine: one runs, the others are ready. The event loop may be busy for as long as two quick ones
# take, and the engine must not run dry meanwhile (measured: four carry a tenth more than two, eight no more than four).
_AHEAD: Final = 4
_LOADED_S: Final = 0.1  # between two looks whether a version is in memory again


class _Submitted(NamedTuple):
    """What the engine has, and what will become of it."""

    part: Part
    future: "asyncio.Future[Inference]"


class Inferring:
    """Keeps the engine busy and answers what it has run.

    Args:
        queue: where batches come from.
        engine: where they run.
        outbox: where answers go.
        models: which versions serve.
        on_answered: called with each batch that was answered, and what became of it.
        suspects: requests that ran when a process died; None where nobody knows of any.
        retry_budget_s: how long a model that cannot answer for now is waited for.
    """

    def __init__(
        self,
        queue: RequestQueue,
        engine: InferenceEngine,
        outbox: Outbox,
        models: ModelTable,
        on_answered: Callable[[Batch[PendingRequest], Inference], None] | None = None,
        *,
        suspects: Suspects | None = None,
        retry_budget_s: float = 0.0,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._outbox = outbox
        self._models = models
        self._on_answered = on_answered
        self._suspects = Suspects() if suspects is None else suspects
        self._outages = Outages(retry_budget_s)
        self._resting: dict[str, list[Part]] = {}  # by model: what is to be tried again, in order
        self._waiting: deque[Part] = deque()  # taken from the queue, and not handed over yet
        self._running: deque[_Submitted] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running) + sum(map(len, self._resting.values()))

    def __repr__(self) -> str:
        return f"<Inferring {len(self)} batches>"

    def give_back(self) -> list[PendingRequest]:
        """Forget what has not been handed over, and what is to be tried again, and return it."""
        parts = [*self._waiting, *chain.from_iterable(self._resting.values())]
        self._waiting.clear()
        self._resting = {model: [] for model in self._resting}
        return [request for part in parts for request in part.batch.requests]

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._hand_over()
            if not self._running:
                await self._queue.wait()
                continue
            part, future = self._running[0]
            inference = await future
            self._running.popleft()
            batch = part.batch
            self._queue.observe(batch.key.model, batch.rows, inference.ran_s)
            self._hand_over()  # the engine goes on while this batch is encoded
            if inference.error is not None:
                retries = self._rests(part, inference.error) or self._retries_in_parts(part, inference, inference.error)
                self._engine.release(future)
                if retries:
                    continue
            elif inference.model is not None:
                self._outages.over(batch.key.model)
            self._outbox.answer(batch, inference)
            if self._on_answered is not None:
                self._on_answered(batch, inference)

    def _hand_over(self) -> None:
        while len(self._running) < _AHEAD:
            if not self._waiting and not self._take():
                return
            part = self._waiting[0]
            if self._running and (part.suspect or self._running[-1].part.suspect):
                return  # should the process die, it must be clear of what
            self._waiting.popleft()
            self._running.append(_Submitted(part, self._engine.submit(part.batch)))

    def _take(self) -> bool:
        """Take a batch from the queue, and divide it among versions and suspects; False when there is none."""
        batch = self._queue.take()
        if batch is None:
            return False
        for placed in place(batch, self._models):
            self._waiting += self._suspects.set_apart(placed)
        for part in self._waiting:
            if part.lone_deaths >= LONE_TRIES:
                error = poison(f"it was run alone {LONE_TRIES} times, and each time a worker died")
                log.warning("model failed", model=batch.key.model, code=error.code.value, error=repr(error))
                part.batch.fail(error)
        return True

    def _rests(self, failed: Part, error: PenstockError) -> bool:
        """Have a model rest that cannot answer for now, and try the batch again afterwards, and what follows it then.

        What was handed over meanwhile runs, and is not answered: that would overtake. Other models go on.
        """
        model = failed.batch.key.model
        pause_s = self._outages.pause_s(model, time.monotonic()) if isinstance(error, TransientModelError) else None
        if pause_s is None:
            return False
        following = [each for each in self._running if each.part.batch.key.model == model]
        for submitted in following:
            submitted.future.cancel()
        waiting = [part for part in self._waiting if part.batch.key.model == model]
        self._resting[model] = [failed, *(submitted.part for submitted in following), *waiting]
        self._running = deque(each for each in self._running if each.part.batch.key.model != model)
        self._waiting = deque(part for part in self._waiting if part.batch.key.model != model)
        self._queue.rest(model, True)
        log.warning("model cannot answer for now", model=model, error=repr(error), again_in_s=round(pause_s, 3))
        asyncio.get_running_loop().call_later(pause_s, self._try_again, model)
        return True

    def _try_again(self, model: str) -> None:
        parts = self._resting[model]
        if not all(self._models.is_ready(model, part.batch.key.version) for part in parts):  # left memory meanwhile
            asyncio.get_running_loop().call_later(_LOADED_S, self._try_again, model)
            return
        del self._resting[model]
        for part in parts:
            part.batch.version = None  # another one may serve by now
        again = [part._replace(batch=placed) for part in parts for placed in place(part.batch, self._models)]
        self._waiting.extendleft(reversed(again))
        self._queue.rest(model, False)

    def _retries_in_parts(self, failed: Part, inference: Inference, error: PenstockError) -> bool:
        """Find the request that makes a batch fail: run parts of it, until one request fails alone.

        The parts take the batch's place, before batches that were handed over meanwhile: the engine runs those
        first, but they are answered afterwards, so that the order of a key holds. They run on the version that failed,
        though another one may serve by now, or that one have left memory.
        """
        parts = next_parts(failed, error, time.monotonic())
        submitted = [_Submitted(part, self._engine.submit(part.batch, inference.model)) for part in parts]
        self._running.extendleft(reversed(submitted))
        if not parts:
            blamed = blame(error)
            if blamed is not error:
                blamed.__cause__ = error  # without frames; for the digest of a dead letter
            if inference.model is not None:
                blamed.model = f"{inference.model.name}@{inference.model.version}"
            log.warning("model failed", model=failed.batch.key.model, code=blamed.code.value, error=repr(error))
            for request in failed.batch.requests:
                if request.rows:
                    request.fail(blamed)
        return bool(parts)
