"""The calls a client waits for. Pure bookkeeping: no Kafka, no clock."""

import asyncio
import secrets
from collections.abc import Callable

from penstock.producer.prediction import Prediction


class Call:
    """One request on its way.

    Attributes:
        future: gets the answer.
        acked: Kafka has acknowledged the request, so a worker will see it.
        timer: ends the call at its deadline.
        index: the input's place in `predict_many`.
    """

    __slots__ = ("acked", "future", "index", "timer")

    def __init__(self, future: "asyncio.Future[Prediction]", index: int | None) -> None:
        self.future = future
        self.index = index
        self.acked = False
        self.timer: asyncio.TimerHandle | None = None


class Calls:
    """Open calls by correlation id.

    Ids begin with a random part of this client's own, so that clients that share a reply partition tell their
    replies apart without decoding them. An answer closes its call: a second answer finds nothing, and is dropped.

    Attributes:
        doubles: answers of this client's that came again, or after their call had ended.
    """

    def __init__(self) -> None:
        self.prefix = secrets.token_hex(8).encode() + b"-"
        self.doubles = 0
        self._open: dict[bytes, Call] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._open)

    def __repr__(self) -> str:
        return f"<Calls {self.prefix.decode()} open={len(self)} doubles={self.doubles}>"

    def open(self, future: "asyncio.Future[Prediction]", index: int | None = None) -> tuple[bytes, Call]:
        """Open a call and return its correlation id."""
        self._count += 1
        correlation = b"%s%d" % (self.prefix, self._count)
        call = self._open[correlation] = Call(future, index)
        return correlation, call

    def get(self, correlation: bytes) -> Call | None:
        """Return an open call."""
        return self._open.get(correlation)

    def is_ours(self, correlation: bytes) -> bool:
        """Tell whether an id is one of this client's."""
        return correlation.startswith(self.prefix)

    def close(self, correlation: bytes) -> Call | None:
        """End a call and return it; None when it had ended."""
        call = self._open.pop(correlation, None)
        if call is None:
            self.doubles += 1
        elif call.timer is not None:
            call.timer.cancel()
        return call

    def fail(self, correlation: bytes, error: Exception) -> None:
        """End a call with an error, if it is open."""
        call = self._open.pop(correlation, None)
        if call is not None:
            _fail(call, error)

    def fail_all(self, error: Callable[[], Exception]) -> None:
        """End every call with an error."""
        ended, self._open = self._open, {}
        for call in ended.values():
            _fail(call, error())


def _fail(call: Call, error: Exception) -> None:
    if call.timer is not None:
        call.timer.cancel()
    if not call.future.done():
        call.future.set_exception(error)
