"""Requests out, and nobody waits for the replies: back-fills, and services whose replies others read."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka.structs import TopicPartition
from numpy.typing import ArrayLike

from penstock.producer.acknowledgement import refusal, unacknowledged
from penstock.producer.requests import PartitionChooser, encode_inputs, request_headers
from penstock.producer.room import Room
from penstock.schemas import headers as h
from penstock.schemas.errors import ClientClosed, TransportError
from penstock.schemas.headers import Header
from penstock.transport.publisher import RecordPublisher
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import TopicDirectory

_NEW: Final = "new"
_OPEN: Final = "open"
_CLOSED: Final = "closed"

Waiting = tuple["asyncio.Future[Sent]", str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that Kafka has.

    Attributes:
        topic, partition: where it lies.
        offset: its place there; -1 where Kafka did not tell it, because it had the record from an earlier try.
        id: its correlation id, which the reply echoes.
    """

    topic: str
    partition: int
    offset: int
    id: str

    @property
    def source(self) -> str:
        """What the reply's `penstock-source` will be."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class RequestSender:
    """Publishes requests without reading replies. An async context manager.

    Args:
        kafka: the connection.
        request_topic: what the workers read.
        reply_topic: where the answers go; the workers must allow it. None is the service's own reply topic.
        max_in_flight: requests that Kafka has not acknowledged; more wait for their turn.
        timeout_s: bound on the wait for a turn, and on Kafka's acknowledgement.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        request_topic: str = "requests",
        reply_topic: str | None = None,
        *,
        max_in_flight: int = 10_000,
        timeout_s: float = 30.0,
    ) -> None:
        options = kafka.client_options()
        self._request_topic = request_topic
        self._reply_topic = reply_topic
        self._address: tuple[Header, ...] = () if reply_topic is None else ((h.REPLY_TOPIC, reply_topic.encode()),)
        self._timeout_s = timeout_s
        self._directory = TopicDirectory(options)
        self._publisher = RecordPublisher(
            options, on_acked=self._acked, on_refused=self._refused, on_written=self._written
        )
        self._spread = PartitionChooser(1)
        self._prefix = secrets.token_hex(8)
        self._count = 0
        self._waiting: set[asyncio.Future[Sent]] = set()
        # What Kafka has not taken counts too: its senders may have given up already.
        self._room = Room(max_in_flight, lambda: max(len(self._waiting), self._publisher.pending))
        self._settlement = asyncio.Event()
        self._state = _NEW

    def __repr__(self) -> str:
        return f"<RequestSender {self._state} -> {self._request_topic}, {len(self._waiting)} not acknowledged>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Connect.

        Raises:
            TransportError: Kafka cannot be reached, or a topic does not exist.
        """
        if self._state != _NEW:
            raise ClientClosed("a sender is started once; make another one")
        try:
            await self._directory.start()
            self._spread = PartitionChooser(await self._directory.require(self._request_topic))
            if self._reply_topic is not None:
                await self._directory.require(self._reply_topic)
            await self._publisher.start()
        except BaseException:
            await self.close()
            raise
        self._state = _OPEN

    async def close(self) -> None:
        """Disconnect. What Kafka has not acknowledged by then may be there or not; its futures fail."""
        self._state = _CLOSED
        self._room.close()
        await self._publisher.close(1.0)
        await self._directory.close()
        for future in list(self._waiting):
            _fail(future, ClientClosed("the sender was closed before Kafka acknowledged the request"))

    async def send(
        self,
        model: str | None,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        *,
        version: str | None = None,
        key: bytes | str | None = None,
        tenant: str | None = None,
        expires_s: float | None = None,
    ) -> Sent:
        """Publish a request and return once Kafka has it.

        Args:
            model: as for `Client.predict`.
            inputs: as for `Client.predict`.
            version: as for `Client.predict`.
            key: as for `Client.predict`.
            tenant: as for `Client.predict`.
            expires_s: seconds after which the service need not run it any more; None is never.

        Raises:
            TransportError: Kafka refused the request, or did not acknowledge it in time; in the latter case it may
                be there nevertheless.
            ValueError, TypeError: the inputs cannot be written as tensors.
        """
        headers = request_headers(model, version, tenant, expires_s)
        future = await self.submit(encode_inputs(inputs), headers, key)
        await asyncio.wait([future], timeout=self._timeout_s)
        if not future.done():
            _fail(future, self._late(1))
        return future.result()

    async def submit(
        self, value: bytes, headers: list[Header], key: bytes | str | None = None
    ) -> "asyncio.Future[Sent]":
        """Hand a request over as soon as there is room; the future tells its place once Kafka has it.

        Args:
            value: the record's value.
            headers: what it wants, see `penstock.producer.requests.request_headers`.
            key: of the record.

        Raises:
            TransportError: Kafka acknowledged too little within the timeout to make room.
        """
        try:
            await self._room.wait(self._timeout_s)
        except TimeoutError:
            raise self._late(len(self._waiting)) from None
        if self._state != _OPEN:
            raise ClientClosed("the sender is not open: use `async with`, or await start()")
        key_bytes = key.encode() if isinstance(key, str) else key
        self._count += 1
        name = f"{self._prefix}-{self._count}"
        future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._settled)
        record = (key_bytes, value, [(h.ID, name.encode()), *headers, *self._address], (future, name), None)
        self._publisher.add(self._request_topic, self._spread.choose(key_bytes), [record])
        self._room.update()
        return future

    async def flush(self) -> None:
        """Wait until the fate of every request is known.

        Raises:
            TransportError: it was not within the timeout after Kafka's last acknowledgement.
        """
        while self._waiting:
            self._settlement.clear()
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._settlement.wait()
            except TimeoutError:
                raise self._late(len(self._waiting)) from None

    def _late(self, requests: int) -> TransportError:
        return TransportError(unacknowledged(f"{requests} request{'s' if requests > 1 else ''}", self._timeout_s))

    def _settled(self, future: "asyncio.Future[Sent]") -> None:
        self._waiting.discard(future)
        self._settlement.set()
        self._room.update()

    def _written(self, place: TopicPartition, offset: int, tokens: Sequence[Waiting]) -> None:
        for step, (future, name) in enumerate(tokens):
            if not future.done():
                future.set_result(Sent(place.topic, place.partition, offset + step if offset >= 0 else -1, name))

    def _acked(self, tokens: Sequence[Any], _: float) -> None:
        self._room.update()  # the futures have heard of it by `_written`

    def _refused(self, token: Waiting, error: Exception) -> None:
        _fail(token[0], refusal(error))


def _fail(future: "asyncio.Future[Sent]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever does not ask for it need not be warned of that
