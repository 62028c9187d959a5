"""Draining: what was taken in comes to its end, by a deadline, before partitions go or the worker does."""

import asyncio
import time
from typing import Final

from penstock.consumer.backpressure import Valve
from penstock.consumer.committer import Committer
from penstock.consumer.exactly_once.transacting import Transacting
from penstock.consumer.fetching import Fetching
from penstock.consumer.inferring import Inferring
from penstock.consumer.outbox import Outbox
from penstock.consumer.queue import RequestQueue
from penstock.consumer.settings import WorkerSettings
from penstock.schemas.logger import Logger

log = Logger(__name__)

_IDLE_POLL_S: Final = 0.005


class Draining:
    """Ends what is in flight between the fetch loop and the acknowledgements.

    Args:
        settings: with the deadlines.
        fetching, queue, inferring, outbox: where it is, in this order.
        valve: counts it.
        committer: says how far it has come.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        fetching: Fetching,
        queue: RequestQueue,
        inferring: Inferring,
        outbox: Outbox,
        valve: Valve,
        committer: Committer | Transacting,
    ) -> None:
        self._settings = settings
        self._fetching = fetching
        self._queue = queue
        self._inferring = inferring
        self._outbox = outbox
        self._valve = valve
        self._committer = committer

    def __repr__(self) -> str:
        return f"<Draining {self._queue!r} {self._inferring!r} {self._outbox!r}>"

    async def for_rebalance(self) -> None:
        """Give back what has not run, let what runs be answered and acknowledged, and commit it."""
        deadline = time.monotonic() + self._settings.drain_timeout_s
        async with self._fetching.taking_in:  # a fetch being taken in ends first
            for request in (*self._queue.clear(), *self._inferring.give_back()):
                self._valve.let_out(request.held_rows, request.weight)
        await self._wait_until_idle(deadline)
        await self._committer.commit()

    async def for_shutdown(self, fetching: "asyncio.Task[None]") -> None:
        """Answer everything that was taken in, and commit it.

        Args:
            fetching: the task of the fetch loop.
        """
        self._fetching.stop()
        deadline = time.monotonic() + self._settings.shutdown_timeout_s
        await asyncio.wait([fetching], timeout=self._settings.shutdown_timeout_s)
        log.info("draining", requests=len(self._queue), unacknowledged=self._outbox.pending)
        if not await self._wait_until_idle(deadline):
            log.warning("deadline reached while draining; the rest will be served again", held=repr(self._valve))
        await self._committer.commit(timeout_s=max(1.0, deadline - time.monotonic()))

    @property
    def idle(self) -> bool:
        """Whether nothing is queued, running or unacknowledged."""
        return not (self._queue or len(self._inferring) or self._outbox.pending)

    async def _wait_until_idle(self, deadline: float) -> bool:
        """Wait until nothing is queued, running or unacknowledged."""
        while not self.idle:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_IDLE_POLL_S)
        return True
