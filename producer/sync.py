"""The client for plain, blocking code: scripts, threads, notebooks, and web frameworks without an event loop."""

import concurrent.futures
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Literal, Self, overload

from numpy.typing import ArrayLike

from penstock.producer.exchange import Exchange
from penstock.producer.look_ahead import look_ahead
from penstock.producer.loop_thread import LoopThread
from penstock.producer.prediction import Prediction
from penstock.producer.requests import check_timeout, encode_inputs, request_headers
from penstock.schemas.errors import PenstockError
from penstock.schemas.headers import Header

Call = concurrent.futures.Future[Prediction]
Headers = Callable[[float], list[Header]]  # of a request, for the seconds it has left

_CLOSE_S: Final = 10.0
_MARGIN_S: Final = 5.0  # beyond a call's own bound, after which the client's thread itself must be stuck


class SyncClient:
    """Calls models from plain, blocking code. `Client.sync` makes one, and documents the arguments.

        with Client.sync("localhost:9092", request_topic="requests", reply_topic="replies") as client:
            prediction = client.predict("iris", [[5.1, 3.5, 1.4, 0.2]])
            print(prediction["probabilities"])

    It runs the asynchronous client in a thread of its own, so it works where an event loop runs already, as in a
    notebook, and where none does. One client serves any number of threads. In a coroutine, prefer `Client`: a call
    here blocks the loop that it is made on.

    Without `with`, call `start()` before the first call and `close()` after the last. A client that nobody closes
    does not keep the interpreter from ending. It does not survive a fork: make one in each process.
    """

    def __init__(self, exchange: Exchange, *, timeout_s: float, start_within_s: float) -> None:
        self._exchange = exchange
        self._timeout_s = timeout_s
        self._start_within_s = start_within_s
        self._thread = LoopThread(exchange.close, "penstock-client")
        # The thread knows the exchange, never this object: once nobody does, the thread ends too.
        self._finalizer = weakref.finalize(self, self._thread.abandon)
        self._finalizer.atexit = False  # the thread sees to that itself, with a deadline

    def __repr__(self) -> str:
        return f"<SyncClient {self._thread.state} {self._exchange!r}>"

    @property
    def doubles(self) -> int:
        """Answers dropped because their call had ended: it had its answer already, had expired, or was cancelled."""
        return self._exchange.calls.doubles

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Connect, and return this client: `client = Client.sync(...).start()`.

        Raises:
            TransportError: Kafka cannot be reached, or a topic does not exist.
            ClientClosed: it was started before.
        """
        self._thread.start()
        try:
            self._thread.wait(self._thread.submit(self._exchange.start()), self._start_within_s)
        except BaseException:
            self._thread.close(_CLOSE_S)
            raise
        return self

    def close(self) -> None:
        """Disconnect. Calls in flight end with `ClientClosed`; their requests may still be served."""
        self._thread.close(_CLOSE_S)

    def predict(
        self,
        model: str | None,
        inputs: "ArrayLike | Mapping[str, ArrayLike]",  # quoted, or help() would print all that ArrayLike is
        *,
        version: str | None = None,
        key: bytes | str | None = None,
        tenant: str | None = None,
        timeout_s: float | None = None,
    ) -> Prediction:
        """Call a model and wait for its answer.

            prediction = client.predict("iris", [[5.1, 3.5, 1.4, 0.2]], timeout_s=2.0)
            prediction["label"], prediction.version

        Ctrl-C ends the call and leaves the client as it was.

        Args:
            model: its name; None is the service's default.
            inputs: rows as one array, shape [rows, ...], for a model with one input; or arrays by input name.
            version: pins a version; None is whichever the service has deployed.
            key: the record's key. Requests with one key to one model are answered in order.
            tenant: whose quota it counts against.
            timeout_s: bound on the whole call; None is the client's.

        Raises:
            ServiceError: the service answered with an error; `code` says which.
            RequestTimeout: no answer came in time. The request may still be served.
            ClientClosed: the client is not open, or was closed meanwhile.
            TransportError: Kafka refused the request.
            ValueError, TypeError: the inputs cannot be written as tensors, or the timeout is none.
        """
        limit_s = self._limit(timeout_s)
        call = self._call(inputs, partial(request_headers, model, version, tenant), limit_s, key)
        return self._thread.wait(call, limit_s + _MARGIN_S)

    def submit(
        self,
        model: str | None,
        inputs: "ArrayLike | Mapping[str, ArrayLike]",  # quoted, or help() would print all that ArrayLike is
        *,
        version: str | None = None,
        key: bytes | str | None = None,
        tenant: str | None = None,
        timeout_s: float | None = None,
    ) -> concurrent.futures.Future[Prediction]:
        """Call a model and return at once, with a future of its answer.

            calls = [client.submit("iris", row[None]) for row in rows]
            answers = [call.result() for call in calls]

        The future ends by the call's own timeout, with the errors of `predict`. Cancelling it gives the call up.
        Its callbacks run in the client's thread: they must be quick, and cannot make calls.

        Args:
            model: as for `predict`.
            inputs: as for `predict`; they are read before this returns.
            version: as for `predict`.
            key: as for `predict`.
            tenant: as for `predict`.
            timeout_s: as for `predict`.

        Raises:
            ClientClosed: the client is not open.
            ValueError, TypeError: the inputs cannot be written as tensors, or the timeout is none.
        """
        return self._call(inputs, partial(request_headers, model, version, tenant), self._limit(timeout_s), key)

    @overload
    def predict_many(
        self, model: str | None, inputs: Iterable[Any], *, ordered: bool = True, max_in_flight: int = 1000,
        version: str | None = None, tenant: str | None = None, timeout_s: float | None = None,
        return_errors: Literal[False] = False,
    ) -> Iterator[Prediction]: ...  # fmt: skip
    @overload
    def predict_many(
        self, model: str | None, inputs: Iterable[Any], *, ordered: bool = True, max_in_flight: int = 1000,
        version: str | None = None, tenant: str | None = None, timeout_s: float | None = None, return_errors: bool,
    ) -> Iterator[Prediction | PenstockError]: ...  # fmt: skip
    def predict_many(
        self,
        model: str | None,
        inputs: Iterable[Any],
        *,
        ordered: bool = True,
        max_in_flight: int = 1000,
        version: str | None = None,
        tenant: str | None = None,
        timeout_s: float | None = None,
        return_errors: bool = False,
    ) -> Iterator[Prediction | PenstockError]:
        """Call a model for each of many inputs, several at a time, and yield the answers.

            for answer in client.predict_many("iris", (row[None] for row in rows)):
                print(answer.index, answer["label"])

        The inputs are iterated in the caller's own thread, a bounded number ahead of the answers.

        Args:
            model: as for `predict`.
            inputs: an iterable of what `predict` takes, a list or a generator of any length.
            ordered: yield in the order of the inputs; False yields as answers come. `Prediction.index` says which
                input it answers.
            max_in_flight: inputs taken ahead of what has been yielded.
            version: as for `predict`.
            tenant: as for `predict`.
            timeout_s: bound on each call, as for `predict`.
            return_errors: yield a failed call's error in place of its answer instead of raising it.

        Raises:
            As `predict`, unless `return_errors`.
        """
        limit_s = self._limit(timeout_s)
        if max_in_flight < 1:
            raise ValueError("max_in_flight must be at least 1")
        headers = partial(request_headers, model, version, tenant)
        return look_ahead(
            inputs,
            lambda index, item: self._call(item, headers, limit_s, None, index),
            lambda call: self._thread.wait(call, limit_s + _MARGIN_S),
            ordered=ordered,
            max_in_flight=max_in_flight,
            limit_s=limit_s + _MARGIN_S,
            return_errors=return_errors,
        )

    def _limit(self, timeout_s: float | None) -> float:
        return self._timeout_s if timeout_s is None else check_timeout(timeout_s)

    def _call(
        self, inputs: Any, headers: Headers, limit_s: float, key: bytes | str | None, index: int | None = None
    ) -> Call:
        value = encode_inputs(inputs)  # in the caller's thread, who may change the arrays afterwards
        return self._thread.submit(_ask(self._exchange, value, headers, limit_s, key=key, index=index))


async def _ask(
    exchange: Exchange, value: bytes, headers: Headers, limit_s: float, *, key: bytes | str | None, index: int | None
) -> Prediction:
    left_s = await exchange.wait_for_room(limit_s)
    return await exchange.send(value, headers(left_s), key, left_s, index)
