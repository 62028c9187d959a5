"""The inference loop: batches from the queue through the engine to the outbox."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from penstock.consumer.outbox import Outbox
from penstock.consumer.pending import PendingRequest
from penstock.consumer.placing import place
from penstock.consumer.queue import RequestQueue
from penstock.core.batch import Batch
from penstock.core.engine import Inference, InferenceEngine
from penstock.core.model_table import ModelTable
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.logger import Logger

log = Logger(__name__)

# Batches handed to the engine: one runs, the others are ready. The event loop may be busy for as long as two quick ones
# take, and the engine must not run dry meanwhile (measured: four carry a tenth more than two, eight no more than four).
_AHEAD: Final = 4

_Submitted = tuple[Batch[PendingRequest], "asyncio.Future[Inference]"]


class Inferring:
    """Keeps the engine busy and answers what it has run.

    Args:
        queue: where batches come from.
        engine: where they run.
        outbox: where answers go.
        models: which versions serve.
        on_answered: called with each batch that was answered, and what became of it.
    """

    def __init__(
        self,
        queue: RequestQueue,
        engine: InferenceEngine,
        outbox: Outbox,
        models: ModelTable,
        on_answered: Callable[[Batch[PendingRequest], Inference], None] | None = None,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._outbox = outbox
        self._models = models
        self._on_answered = on_answered
        self._running: deque[_Submitted] = deque()

    def __len__(self) -> int:
        return len(self._running)

    def __repr__(self) -> str:
        return f"<Inferring {len(self)} batches>"

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._hand_over()
            if not self._running:
                await self._queue.wait()
                continue
            batch, future = self._running[0]
            inference = await future
            self._running.popleft()
            self._queue.observe(batch.key.model, batch.rows, inference.ran_s)
            self._hand_over()  # the engine goes on while this batch is encoded
            if inference.error is not None:
                retries = self._retries_in_halves(batch, inference)
                self._engine.release(future)
                if retries:
                    continue
            self._outbox.answer(batch, inference)
            if self._on_answered is not None:
                self._on_answered(batch, inference)

    def _hand_over(self) -> None:
        while len(self._running) < _AHEAD and (batch := self._queue.take()) is not None:
            self._running.extend(self._submitted(batch))

    def _submitted(
        self, batch: Batch[PendingRequest]
    ) -> "list[tuple[Batch[PendingRequest], asyncio.Future[Inference]]]":
        return [(part, self._engine.submit(part)) for part in place(batch, self._models)]

    def _retries_in_halves(self, batch: Batch[PendingRequest], inference: Inference) -> bool:
        """Find the request that makes a batch fail: run its halves, until one request fails alone.

        The halves take the batch's place, before batches that were handed over meanwhile: the engine runs those
        first, but they are answered afterwards, so that the order of a key holds. They run on the version that failed,
        though another one may serve by now, or that one have left memory.
        """
        error = inference.error
        if error is None:
            return False
        requests = batch.requests
        if not isinstance(error, RequestError) and sum(request.rows > 0 for request in requests) > 1:
            model = inference.model
            halves = [(half, self._engine.submit(half, model)) for half in batch.halves(time.monotonic())]
            self._running.extendleft(reversed(halves))
            return True
        code = error.code if isinstance(error, RequestError) else ErrorCode.MODEL_FAILED
        log.warning("model failed", model=batch.key.model, code=code.value, error=repr(error))
        for request in requests:
            if request.rows:
                request.fail(RequestError(code, str(error)))
        return False
