"""Many calls at once, bounded, in order or as they come."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError, RequestTimeout

Inputs = Iterable[Any] | AsyncIterable[Any]
Submit = Callable[[int, Any], Awaitable["asyncio.Future[Prediction]"]]


async def gather(
    inputs: Inputs, submit: Submit, *, ordered: bool, max_in_flight: int
) -> AsyncGenerator[Prediction | PenstockError, None]:
    """Submit every input and yield what becomes of each; errors of the service and the transport are yielded.

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
    window: deque[asyncio.Future[Prediction]] | _AsTheyCome
    window = deque() if ordered else _AsTheyCome()
    try:
        index = 0
        async for item in _each(inputs):
            window.append(await _submitted(submit, index, item))
            index += 1
            while len(window) >= max_in_flight:
                yield await _outcome(window)
        while window:
            yield await _outcome(window)
    finally:
        for future in window:  # the caller has stopped iterating, or an input was wrong
            future.cancel()


class _AsTheyCome:
    """Futures, handed out in the order they end."""

    def __init__(self) -> None:
        self._open: set[asyncio.Future[Prediction]] = set()
        self._done: asyncio.Queue[asyncio.Future[Prediction]] = asyncio.Queue()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> "Any":
        return iter(list(self._open))

    def append(self, future: "asyncio.Future[Prediction]") -> None:
        self._open.add(future)
        future.add_done_callback(self._done.put_nowait)

    async def next(self) -> "asyncio.Future[Prediction]":
        future = await self._done.get()
        self._open.discard(future)
        return future


async def _submitted(submit: Submit, index: int, item: Any) -> "asyncio.Future[Prediction]":
    try:
        return await submit(index, item)
    except RequestTimeout as error:  # there was no room in time: the call has failed, like one without an answer
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future


async def _outcome(window: "deque[asyncio.Future[Prediction]] | _AsTheyCome") -> Prediction | PenstockError:
    future = await window.next() if isinstance(window, _AsTheyCome) else window.popleft()
    try:
        return await future
    except PenstockError as error:
        return error


async def _each(inputs: Inputs) -> AsyncIterator[Any]:
    if isinstance(inputs, AsyncIterable):
        async for item in inputs:
            yield item
    else:
        for item in inputs:
            yield item
