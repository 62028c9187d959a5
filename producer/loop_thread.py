"""An event loop in a daemon thread of its own, for callers that have none, or whose loop must not be disturbed."""

import asyncio
import atexit
import concurrent.futures
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from penstock.schemas.errors import ClientClosed, RequestTimeout

T = TypeVar("T")

_EXIT_S: Final = 2.0  # an interpreter that ends waits so long for the loops that nobody closed, all together


class LoopThread:
    """Runs coroutines for other threads, for many at once.

    Args:
        closing: awaited on the loop when it is to end.
        name: of the thread.

    Attributes:
        state: new, open or closed.
    """

    def __init__(self, closing: Callable[[], Awaitable[None]], name: str) -> None:
        self._closing = closing
        self._name = name
        self._process = os.getpid()
        # No coroutine may follow the one that ends the loop. A client that is collected abandons its loop at any moment
        # of any thread, one that holds the lock included: it is reentrant.
        self._lock = threading.RLock()
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.state = "new"

    def __repr__(self) -> str:
        return f"<LoopThread {self._name} {self.state}>"

    def start(self) -> None:
        """Start the thread, once.

        Raises:
            ClientClosed: it was started before, or belongs to another process.
        """
        self._check_place()
        with self._lock:
            if self.state != "new":
                raise ClientClosed("a client is started once; make another one")
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
            self.state = "open"
        _running.add(self)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Run a coroutine on the loop. Cancelling the future that is returned cancels the coroutine.

        Raises:
            ClientClosed: the loop does not run, or belongs to another process.
            RuntimeError: called in the loop's own thread, which would wait for itself.
        """
        try:
            self._check_place()
            with self._lock:
                if self.state == "new":
                    raise ClientClosed("the client is not open: use `with`, or call start()")
                if self._loop is None or self.state != "open":
                    raise ClientClosed("the client was closed")
                return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except BaseException:
            coroutine.close()
            raise

    def wait(self, future: "concurrent.futures.Future[T]", limit_s: float) -> T:
        """Return a future's result. Whatever ends the wait, Ctrl-C too, cancels the coroutine.

        Raises:
            RequestTimeout: there was none by the deadline.
            ClientClosed: the loop ended first.
        """
        try:
            return future.result(timeout=limit_s)
        except concurrent.futures.CancelledError:
            raise ClientClosed("the client was closed while the call was in flight") from None
        except TimeoutError:
            if future.done():  # the coroutine's own
                raise
            raise RequestTimeout(f"the client's own thread has not answered within {limit_s:g} s") from None
        finally:
            future.cancel()  # does nothing to one that has ended

    def close(self, timeout_s: float) -> None:
        """End the loop, and wait for its thread until the deadline. Does nothing in a fork of the process.

        Raises:
            RuntimeError: called in the loop's own thread, which would wait for itself.
        """
        if os.getpid() != self._process:
            return
        self._check_place()
        self.abandon()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def abandon(self) -> None:
        """End the loop without waiting for it; from any thread."""
        if os.getpid() != self._process:
            return
        with self._lock:
            was, self.state = self.state, "closed"
            if was == "open" and self._loop is not None:
                asyncio.run_coroutine_threadsafe(self._end(), self._loop)

    def _check_place(self) -> None:
        if os.getpid() != self._process:
            raise ClientClosed(
                f"this client belongs to process {self._process}, and a fork takes no threads along; "
                f"make one in process {os.getpid()}"
            )
        if self._thread is threading.current_thread():
            raise RuntimeError(
                "called in the client's own thread, where a future's callbacks run: it would wait for itself"
            )

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._live())
        finally:
            _running.discard(self)

    async def _live(self) -> None:
        await self._ended.wait()

    async def _end(self) -> None:
        try:
            await self._closing()
        finally:
            self._ended.set()


_running: Final[set[LoopThread]] = set()


def _close_all() -> None:
    """Close what nobody has closed, so that Kafka is told, and its client has nothing to complain of."""
    deadline = time.monotonic() + _EXIT_S
    left_open = list(_running)
    for thread in left_open:
        thread.abandon()
    for thread in left_open:
        thread.close(max(0.0, deadline - time.monotonic()))


atexit.register(_close_all)
