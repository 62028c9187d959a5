"""The batcher, with the event that wakes whoever waits for it."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping

from penstock.consumer.pending import PendingRequest
from penstock.core.batch import Batch
from penstock.core.batcher import BatchPolicy, MicroBatcher
from penstock.core.chunk import Chunk


class RequestQueue:
    """Joins the fetch loop to the inference loop.

    Args:
        batcher: decides what runs next.
    """

    def __init__(self, batcher: MicroBatcher[PendingRequest]) -> None:
        self._batcher = batcher
        self._added = asyncio.Event()
        self._taken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._batcher)

    def __repr__(self) -> str:
        return f"<RequestQueue {self._batcher!r}>"

    @property
    def rows(self) -> int:
        """Rows that wait for the engine, and not for their model."""
        return self._batcher.ready_rows

    @property
    def most_rows(self) -> int:
        """The most rows that a batch may have now."""
        return self._batcher.most_rows

    @property
    def policy(self) -> BatchPolicy:
        """How batches form of models that have no policy of their own."""
        return self._batcher.policy

    def set_policies(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Set the policies of models that have one of their own, instead of those set before."""
        self._batcher.set_policies(policies)

    def observe(self, model: str, rows: int, ran_s: float) -> None:
        """Learn how many seconds the rows of a batch took."""
        self._batcher.observe(model, rows, ran_s)

    def add(self, chunks: Iterable[Chunk[PendingRequest]]) -> None:
        """Queue chunks and wake the inference loop."""
        self._batcher.add(chunks)
        self._added.set()

    def wake(self) -> None:
        """Have the inference loop look again: what could not run may be able to now."""
        self._added.set()

    def rest(self, model: str, rests: bool) -> None:
        """Hold the requests of a model back, or let them go on."""
        self._batcher.rest(model, rests)
        self._added.set()

    def take(self) -> Batch[PendingRequest] | None:
        """Take the next batch if one is due."""
        self._taken.set()
        return self._batcher.take(time.monotonic())

    def clear(self) -> list[PendingRequest]:
        """Forget what is queued and return it."""
        return self._batcher.clear()

    async def wait_until_taken(self, timeout_s: float) -> None:
        """Wait until somebody asks for a batch, or for so long."""
        self._taken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._taken.wait()

    async def wait(self) -> None:
        """Wait until something is added, or until what is there is due."""
        self._added.clear()
        due = self._batcher.next_due()
        if due is None:
            await self._added.wait()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await self._added.wait()
