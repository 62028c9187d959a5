"""Many calls at once for a plain loop: bounded, in order or as they come."""

import queue
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from typing import Any, Final

from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError, RequestTimeout

Answer = Future[Prediction]


def look_ahead(
    inputs: Iterable[Any],
    submit: Callable[[int, Any], Answer],
    wait: Callable[[Answer], Prediction],
    *,
    ordered: bool,
    max_in_flight: int,
    limit_s: float,
    return_errors: bool,
) -> Generator[Prediction | PenstockError, None, None]:
    """Submit every input and yield the answers.

    The inputs are iterated between the answers, in the thread that iterates these: what is there is yielded before
    the next input is asked for, so a slow source holds an answer back for one input at most.

    Args:
        inputs: any iterable.
        submit: starts a call; it ends by itself within its own time.
        wait: returns a call's answer or raises its error.
        ordered: yield in the order of the inputs.
        max_in_flight: calls started and not yet yielded.
        limit_s: bound on the wait for the next answer, beyond that of every call.
        return_errors: yield errors of the service and the transport instead of raising them.

    Raises:
        What `submit` and `wait` raise, or RequestTimeout. Calls in flight are then given up, as they are when nobody
        iterates further.
    """

    def outcome() -> Prediction | PenstockError:
        call = window.take()
        try:
            return wait(call)
        except PenstockError as error:
            if return_errors:
                return error
            raise

    window: _InOrder | _AsTheyCome = _InOrder() if ordered else _AsTheyCome(limit_s)
    try:
        for index, item in enumerate(inputs):
            window.add(submit(index, item))
            while window.ready or len(window) >= max_in_flight:
                yield outcome()
        while len(window):
            yield outcome()
    finally:
        window.cancel()


class _InOrder:
    """Calls in flight, handed out in the order they were added."""

    def __init__(self) -> None:
        self._open: deque[Answer] = deque()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def ready(self) -> bool:
        """Whether the next one has ended."""
        return bool(self._open) and self._open[0].done()

    def add(self, call: Answer) -> None:
        self._open.append(call)

    def take(self) -> Answer:
        """Return the next one, which may not have ended."""
        return self._open.popleft()

    def cancel(self) -> None:
        for call in self._open:
            call.cancel()


class _AsTheyCome:
    """Calls in flight, handed out as they end."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s: Final = limit_s
        self._open: set[Answer] = set()
        self._ended: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def ready(self) -> bool:
        """Whether one has ended."""
        return not self._ended.empty()

    def add(self, call: Answer) -> None:
        self._open.add(call)
        call.add_done_callback(self._ended.put)

    def take(self) -> Answer:
        """Wait for one that has ended.

        Raises:
            RequestTimeout: none has by the deadline, which is beyond that of every call.
        """
        try:
            call = self._ended.get(timeout=self._limit_s)
        except queue.Empty:
            raise RequestTimeout(f"the client's own thread has not answered within {self._limit_s:g} s") from None
        self._open.discard(call)
        return call

    def cancel(self) -> None:
        for call in self._open:
            call.cancel()
