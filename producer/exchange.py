"""The exchange: requests out, replies in, each answer to its call.

A call is a record on the request topic with a correlation id and the place of the reply; the reply is found by
that id on the client's reply partition. Nothing is decoded that is not this client's.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from aiokafka.structs import TopicPartition

from penstock.producer.acknowledgement import refusal, unacknowledged
from penstock.producer.calls import Call, Calls
from penstock.producer.prediction import Prediction, read_prediction
from penstock.producer.reply_reader import ReplyReader
from penstock.producer.requests import PartitionChooser
from penstock.producer.room import Room
from penstock.schemas import headers as h
from penstock.schemas.errors import ClientClosed, RequestTimeout, ServiceError, TransportError
from penstock.schemas.headers import Header
from penstock.transport.publisher import RecordPublisher
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import TopicDirectory


class Exchange:
    """Sends requests and finds their replies.

    Args:
        kafka: the connection.
        request_topic, reply_topic: where requests go and replies come.
        reply_partition: of the reply topic; None takes any.
        max_in_flight: calls beyond it wait for their turn.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        request_topic: str,
        reply_topic: str,
        reply_partition: int | None,
        max_in_flight: int,
    ) -> None:
        self._kafka = kafka
        self._options = kafka.client_options()
        self._request_topic = request_topic
        self._reply_topic = reply_topic
        self._reply_partition = reply_partition
        self.calls = Calls()
        self._directory = TopicDirectory(self._options)
        self._publisher = RecordPublisher(self._options, on_acked=self._acked, on_refused=self._refused)
        # What Kafka has not taken counts too: its callers may have given up already.
        self._room = Room(max_in_flight, lambda: max(len(self.calls), self._publisher.pending))
        self._reader: ReplyReader | None = None
        self._address: tuple[Header, ...] = ()
        self._spread = PartitionChooser(1)
        self.state = "new"

    def __repr__(self) -> str:
        return f"<Exchange {self.state} {self._request_topic} -> {self._reply_topic} {self.calls!r}>"

    async def start(self) -> None:
        """Connect. Returns when the position on the reply partition is known, so that no answer can be missed.

        Raises:
            TransportError: Kafka cannot be reached, or a topic does not exist.
        """
        if self.state != "new":
            raise ClientClosed("a client is started once; make another one")
        try:
            await self._directory.start()
            self._spread = PartitionChooser(await self._directory.require(self._request_topic))
            count = await self._directory.require(self._reply_topic)
            partition = random.randrange(count) if self._reply_partition is None else self._reply_partition
            if not 0 <= partition < count:
                raise TransportError(f"topic {self._reply_topic} has no partition {partition}; it has {count}")
            place = TopicPartition(self._reply_topic, partition)
            self._address = (
                (h.REPLY_TOPIC, place.topic.encode()),
                (h.REPLY_PARTITION, str(place.partition).encode()),
            )
            self._reader = ReplyReader(
                self._options, place, self._on_reply, start_timeout_s=self._kafka.request_timeout_s
            )
            await self._reader.start()
            await self._publisher.start()
        except BaseException:
            await self.close()
            raise
        self.state = "open"

    async def close(self) -> None:
        """Disconnect. Calls in flight end with `ClientClosed`; their requests may still be served."""
        self.state = "closed"
        self.calls.fail_all(lambda: ClientClosed("the client was closed while the call was in flight"))
        self._room.close()
        if self._reader is not None:
            await self._reader.close()
        await self._publisher.close(1.0)
        await self._directory.close()

    def send(
        self, value: bytes, headers: Sequence[Header], key: bytes | str | None, limit_s: float, index: int | None
    ) -> "asyncio.Future[Prediction]":
        """Publish one request; the future gets the answer."""
        if self.state != "open":
            raise ClientClosed("the client is not open: use `async with`, or await start()")
        key_bytes = key.encode() if isinstance(key, str) else key
        partition = self._spread.choose(key_bytes)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Prediction] = loop.create_future()
        correlation, call = self.calls.open(future, index)
        call.timer = loop.call_later(limit_s, self._expire, correlation, limit_s)
        future.add_done_callback(lambda _: self._ended(correlation))
        record = (key_bytes, value, [(h.ID, correlation), *headers, *self._address], correlation, None)
        self._publisher.add(self._request_topic, partition, [record])
        self._room.update()
        return future

    async def wait_for_room(self, limit_s: float) -> float:
        """Wait until another call may be in flight, and return what is left of the time.

        Raises:
            RequestTimeout: there was none in time.
        """
        try:
            return await self._room.wait(limit_s)
        except TimeoutError:
            raise RequestTimeout(
                f"no room for another call within {limit_s:g} s: {len(self.calls)} are in flight, "
                f"and {self._publisher.pending} requests are not acknowledged by Kafka yet"
            ) from None

    def _on_reply(self, record: Any) -> None:
        headers = dict(record.headers)
        correlation = headers.get(h.ID)
        if correlation is None or not self.calls.is_ours(correlation):
            return
        call = self.calls.close(correlation)
        if call is None or call.future.done():
            return
        try:
            call.future.set_result(read_prediction(record.value, headers, correlation, call.index))
        except (ServiceError, TransportError) as error:
            call.future.set_exception(error)

    def _ended(self, correlation: bytes) -> None:
        """Forget a call whose caller has its answer, or was cancelled."""
        if self.calls.get(correlation) is not None:
            self.calls.close(correlation)
        self._room.update()

    def _expire(self, correlation: bytes, limit_s: float) -> None:
        call = self.calls.get(correlation)
        if call is not None:
            self.calls.fail(correlation, RequestTimeout(self._why_late(call, limit_s)))

    def _why_late(self, call: Call, limit_s: float) -> str:
        if not call.acked:
            return unacknowledged("the request", limit_s)
        return (
            f"no reply within {limit_s:g} s; the request is on topic {self._request_topic}. "
            f"Is a worker reading it, and may it answer to {self._reply_topic}? `penstock doctor` finds out."
        )

    def _acked(self, correlations: Sequence[bytes], _: float) -> None:
        for correlation in correlations:
            call = self.calls.get(correlation)
            if call is not None:
                call.acked = True
        self._room.update()

    def _refused(self, correlation: bytes, error: Exception) -> None:
        self.calls.fail(correlation, refusal(error))
