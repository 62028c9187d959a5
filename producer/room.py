"""Room for more requests: a bound on those in flight, and the wait for one's turn."""

import asyncio
import time
from collections.abc import Callable


class Room:
    """A door that is open while fewer than so many are in flight.

    Args:
        limit: how many may be.
        count: how many are.
    """

    def __init__(self, limit: int, count: Callable[[], int]) -> None:
        self._limit = limit
        self._count = count
        self._closed = False
        self._door = asyncio.Event()
        self._door.set()

    def update(self) -> None:
        """Open or close the door; call it whenever the count may have changed."""
        if self._closed or self._count() < self._limit:
            self._door.set()
        else:
            self._door.clear()

    def close(self) -> None:
        """Let everybody through from now on: whoever waits finds out for himself that nothing is sent any more."""
        self._closed = True
        self._door.set()

    async def wait(self, limit_s: float) -> float:
        """Wait until there is room, and return what is left of the time, in seconds.

        Raises:
            TimeoutError: there was none in time.
        """
        if self._door.is_set():
            return limit_s
        deadline = time.monotonic() + limit_s
        async with asyncio.timeout(limit_s):
            while not self._door.is_set():  # another may have been quicker
                await self._door.wait()
        return max(deadline - time.monotonic(), 0.001)
