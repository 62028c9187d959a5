"""The client: call a model through Kafka as if it were a function."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, overload

from numpy.typing import ArrayLike

from penstock.producer.connection import plain_connection
from penstock.producer.exchange import Exchange
from penstock.producer.many import Inputs, gather
from penstock.producer.prediction import Prediction
from penstock.producer.requests import check_timeout, encode_inputs, request_headers
from penstock.producer.sync import SyncClient
from penstock.schemas.errors import ConfigurationError, PenstockError
from penstock.transport.settings import KafkaSettings


class Client:
    """Calls models. An async context manager; thousands of calls may be in flight on one client.

        async with Client("localhost:9092", request_topic="requests", reply_topic="replies") as client:
            prediction = await client.predict("iris", [[5.1, 3.5, 1.4, 0.2]])
            print(prediction["probabilities"])

    Make one and keep it: it holds connections, and a start takes longer than a call. For code that is not
    asynchronous, `Client.sync` makes one that blocks.

    Args:
        bootstrap_servers: Kafka, as "host:port,host:port"; or give `kafka`.
        request_topic: what the workers read.
        reply_topic: where answers to this client go; the workers must allow it.
        kafka: the whole connection, with security: `KafkaSettings(bootstrap_servers=("one:9093",), ...)`.
        timeout_s: bound on a call unless it says otherwise.
        max_in_flight: calls beyond it wait for their turn.
        reply_partition: of the reply topic; by default any. Clients may share one.

    Raises:
        ConfigurationError: the addresses cannot be, or both `bootstrap_servers` and `kafka` are given.
        ValueError: `timeout_s` is none.
    """

    def __init__(
        self,
        bootstrap_servers: str | None = None,
        *,
        request_topic: str = "requests",
        reply_topic: str = "replies",
        kafka: KafkaSettings | None = None,
        timeout_s: float = 30.0,
        max_in_flight: int = 10_000,
        reply_partition: int | None = None,
    ) -> None:
        if kafka is not None and bootstrap_servers is not None:
            raise ConfigurationError("give bootstrap_servers or kafka, not both")
        check_timeout(timeout_s)
        if max_in_flight < 1:
            raise ConfigurationError("max_in_flight must be at least 1")
        self._timeout_s = timeout_s
        self._kafka = kafka or plain_connection(bootstrap_servers)
        self._exchange = Exchange(
            self._kafka,
            request_topic=request_topic,
            reply_topic=reply_topic,
            reply_partition=reply_partition,
            max_in_flight=max_in_flight,
        )

    def __repr__(self) -> str:
        return f"<Client {self._exchange!r}>"

    @classmethod
    def sync(
        cls,
        bootstrap_servers: str | None = None,
        *,
        request_topic: str = "requests",
        reply_topic: str = "replies",
        kafka: KafkaSettings | None = None,
        timeout_s: float = 30.0,
        max_in_flight: int = 10_000,
        reply_partition: int | None = None,
    ) -> SyncClient:
        """Make a client for plain, blocking code: scripts, threads, notebooks.

            with Client.sync("localhost:9092") as client:
                prediction = client.predict("iris", [[5.1, 3.5, 1.4, 0.2]])

        Arguments and errors are those of `Client`; what the result can do is in `help(penstock.SyncClient)`.
        """
        client = cls(
            bootstrap_servers,
            request_topic=request_topic,
            reply_topic=reply_topic,
            kafka=kafka,
            timeout_s=timeout_s,
            max_in_flight=max_in_flight,
            reply_partition=reply_partition,
        )
        # Topics, the reply partition's end and the producer each have a bound of their own.
        start_within_s = 60.0 + client._kafka.request_timeout_s
        return SyncClient(client._exchange, timeout_s=timeout_s, start_within_s=start_within_s)

    @property
    def doubles(self) -> int:
        """Answers dropped because their call had ended: it had its answer already, had expired, or was cancelled."""
        return self._exchange.calls.doubles

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Connect. Returns when the position on the reply partition is known, so that no answer can be missed.

        Raises:
            TransportError: Kafka cannot be reached, or a topic does not exist.
        """
        await self._exchange.start()

    async def close(self) -> None:
        """Disconnect. Calls in flight end with `ClientClosed`; their requests may still be served."""
        await self._exchange.close()

    async def predict(
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

            prediction = await client.predict("iris", [[5.1, 3.5, 1.4, 0.2]], timeout_s=2.0)
            prediction["label"], prediction.version

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
            ClientClosed: the client was closed.
            TransportError: Kafka refused the request.
            ValueError, TypeError: the inputs cannot be written as tensors, or the timeout is none.
        """
        limit_s = self._timeout_s if timeout_s is None else check_timeout(timeout_s)
        value = encode_inputs(inputs)
        limit_s = await self._exchange.wait_for_room(limit_s)
        headers = request_headers(model, version, tenant, limit_s)
        return await self._exchange.send(value, headers, key, limit_s, None)

    @overload
    def predict_many(
        self, model: str | None, inputs: Inputs, *, ordered: bool = True, max_in_flight: int = 1000,
        version: str | None = None, tenant: str | None = None, timeout_s: float | None = None,
        return_errors: Literal[False] = False,
    ) -> AsyncIterator[Prediction]: ...  # fmt: skip
    @overload
    def predict_many(
        self, model: str | None, inputs: Inputs, *, ordered: bool = True, max_in_flight: int = 1000,
        version: str | None = None, tenant: str | None = None, timeout_s: float | None = None, return_errors: bool,
    ) -> AsyncIterator[Prediction | PenstockError]: ...  # fmt: skip
    async def predict_many(
        self,
        model: str | None,
        inputs: Inputs,
        *,
        ordered: bool = True,
        max_in_flight: int = 1000,
        version: str | None = None,
        tenant: str | None = None,
        timeout_s: float | None = None,
        return_errors: bool = False,
    ) -> AsyncIterator[Prediction | PenstockError]:
        """Call a model for each of many inputs, several at a time, and yield the answers.

            async for answer in client.predict_many("iris", (row[None] for row in rows)):
                print(answer.index, answer["label"])

        Args:
            model: as for `predict`.
            inputs: an iterable or async iterable of what `predict` takes.
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
        limit_s = self._timeout_s if timeout_s is None else check_timeout(timeout_s)
        headers = request_headers(model, version, tenant, limit_s)

        async def submit(index: int, item: Any) -> "asyncio.Future[Prediction]":
            value = encode_inputs(item)
            left_s = await self._exchange.wait_for_room(limit_s)
            return self._exchange.send(value, headers, None, left_s, index)

        async for answer in gather(inputs, submit, ordered=ordered, max_in_flight=max_in_flight):
            if isinstance(answer, PenstockError) and not return_errors:
                raise answer
            yield answer
