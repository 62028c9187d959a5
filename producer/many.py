"""Many calls at once, bounded, in order or as they come."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError, RequestTimeout

Inputs = Iterable[Any] | AsyncIterable[Any]
Submit = Callable[[int, Any], Awaitable["asyncio.Future[Prediction]"]]

_TURN: Final = 64  # inputs submitted before everything else on the event loop has its turn


async def gather(
    inputs: Inputs, submit: Submit, *, ordered: bool, max_in_flight: int
) -> AsyncGenerator[Prediction | PenstockError, None]:
    """Submit every input and yield what becomes of each; errors of the service and the transport are yielded.

    Answers are yielded while further inputs are waited for, so a slow source holds none of them back.

    Args:
        inputs: iterable or async iterable.
        submit: starts a call and returns its future.
        ordered: yield in the order of the inputs.
        max_in_flight: calls started and not yet yielded.

    Raises:
        ValueError: `max_in_flight` is less than 1; or whatever `submit` raises for an input that cannot be sent.
    """
    if max_in_flight < 1:
        raise ValueError("max_in_flight must be at least 1")
    window = _Window(ordered=ordered, size=max_in_flight)
    filling = asyncio.create_task(_fill(inputs, submit, window))
    try:
        while (future := await window.next()) is not None:
            yield await _outcome(future, window)
            window.room.release()
        if window.failure is not None:
            raise window.failure
    finally:
        filling.cancel()  # the caller may have stopped iterating
        await asyncio.gather(filling, return_exceptions=True)
        window.cancel()


class _Window:
    """Calls in flight: futures, handed out in the order they were added, or that they end.

    Attributes:
        room: one permit for each call that may still be started.
        failure: why no more calls will be added, when it is not because the inputs have ended.
    """

    def __init__(self, *, ordered: bool, size: int) -> None:
        self.room = asyncio.Semaphore(size)
        self.failure: BaseException | None = None
        self._ordered = ordered
        self._open: set[asyncio.Future[Prediction]] = set()
        self._next: asyncio.Queue[asyncio.Future[Prediction] | None] = asyncio.Queue()
        self._ended = False

    def add(self, future: "asyncio.Future[Prediction]") -> None:
        self._open.add(future)
        if self._ordered:
            self._next.put_nowait(future)
        else:
            future.add_done_callback(self._next.put_nowait)

    async def next(self) -> "asyncio.Future[Prediction] | None":
        """Return the next future; None when there will be none."""
        if self.failure is not None:
            return None
        future = await self._next.get()
        return future if self.failure is None else None

    def taken(self, future: "asyncio.Future[Prediction]") -> None:
        """Forget a call whose outcome is known."""
        self._open.discard(future)
        if self._ended and not self._open:
            self._next.put_nowait(None)

    def end(self) -> None:
        """No more calls will be added."""
        self._ended = True
        if not self._open:
            self._next.put_nowait(None)  # somebody may be waiting

    def fail(self, error: BaseException) -> None:
        """No more calls will be added, and those in flight are given up."""
        self.failure = error
        self.cancel()
        self._next.put_nowait(None)

    def cancel(self) -> None:
        """Give up the calls in flight."""
        for future in self._open:
            future.cancel()


async def _fill(inputs: Inputs, submit: Submit, window: _Window) -> None:
    """Submit the inputs as far as there is room."""
    try:
        index = 0
        async with contextlib.aclosing(_each(inputs, window)) as source:
            async for item in source:
                window.add(await _submitted(submit, index, item))
                index += 1
                if index % _TURN == 0:
                    await asyncio.sleep(0)
        window.end()
    except Exception as error:  # the caller's own iterable may raise anything; it is the caller's to hear of it
        window.fail(error)


async def _each(inputs: Inputs, window: _Window) -> AsyncGenerator[Any, None]:
    """Take each input when there is room for its call, and not before."""
    source: AsyncIterator[Any] = aiter(inputs) if isinstance(inputs, AsyncIterable) else _Stepped(inputs)
    while True:
        await window.room.acquire()
        try:
            yield await anext(source)
        except StopAsyncIteration:
            return


class _Stepped:
    """An iterable as an async iterator."""

    def __init__(self, inputs: Iterable[Any]) -> None:
        self._inputs = iter(inputs)

    def __aiter__(self) -> "_Stepped":
        return self

    async def __anext__(self) -> Any:
        for item in self._inputs:
            return item
        raise StopAsyncIteration


async def _submitted(submit: Submit, index: int, item: Any) -> "asyncio.Future[Prediction]":
    try:
        return await submit(index, item)
    except RequestTimeout as error:  # there was no room in time: the call has failed, like one without an answer
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future


async def _outcome(future: "asyncio.Future[Prediction]", window: _Window) -> Prediction | PenstockError:
    try:
        return await future
    except PenstockError as error:
        return error
    except asyncio.CancelledError:
        if window.failure is not None:  # it was given up because an input could not be sent
            raise window.failure from None
        raise
    finally:
        window.taken(future)
