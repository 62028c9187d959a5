"""Requests out and replies in, for many thousands a second.

`penstock.Client` makes a future and a timer for each call, and decodes each answer. Here values are encoded
beforehand, many records are handed over at once, and of a reply nothing is read but its headers.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from penstock.cli.bench.flights import Flights, Leaving
from penstock.cli.bench.inputs import Pool
from penstock.cli.bench.lane import Answered, Lane, answered, code_of, error_of, is_failure
from penstock.cli.bench.recorder import Recorder
from penstock.cli.bench.replies import ReplyStream
from penstock.cli.bench.turns import Turns
from penstock.producer.acknowledgement import refusal
from penstock.schemas import headers as h
from penstock.schemas.headers import Header
from penstock.transport.publisher import RecordPublisher
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import TopicDirectory

_CLOSE_S: Final = 1.0


class Traffic:
    """A connection for load. `start` it, `use` a pool of requests, and `close` it.

    Args:
        kafka: the connection.
        lane: where requests go, and what they want.

    Attributes:
        recorder: gets what happens; None while nothing is measured.
        flights: the requests on their way.
        moved: set whenever one of them has ended.
        partitions: of the request topic.
    """

    def __init__(self, kafka: KafkaSettings, lane: Lane) -> None:
        self._kafka = kafka
        self._options = kafka.client_options()
        self._lane = lane
        self.recorder: Recorder | None = None
        self.flights = Flights()
        self.moved = asyncio.Event()
        self.partitions = 0
        self._directory = TopicDirectory(self._options)
        self._publisher = RecordPublisher(self._options, on_acked=self._acked, on_refused=self._refused)
        self._stream: ReplyStream | None = None
        self._turns = Turns(1)
        self._headers: list[list[Header]] = []
        self._asked: dict[int, asyncio.Future[Answered]] = {}
        self._values: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"<Traffic {self._lane.requests} -> {self._lane.replies} {self.flights!r}>"

    @property
    def unacknowledged(self) -> int:
        """How many requests Kafka has not acknowledged yet."""
        return self._publisher.pending

    async def start(self) -> None:
        """Connect. Returns when the ends of the reply topic are known, so that no reply can be missed.

        Raises:
            TransportError: Kafka cannot be reached, or a topic does not exist.
        """
        await self._directory.start()
        self.partitions = await self._directory.require(self._lane.requests)
        replies = await self._directory.require(self._lane.replies)
        self._headers = [self._lane.headers(number % replies) for number in range(self.partitions)]
        self._turns = Turns(self.partitions)
        limit_s = self._kafka.request_timeout_s
        self._stream = ReplyStream(self._options, self._lane.replies, replies, self._came, start_timeout_s=limit_s)
        await self._stream.start()
        await self._publisher.start()

    async def close(self) -> None:
        """Disconnect."""
        if self._stream is not None:
            await self._stream.close()
        await self._publisher.close(_CLOSE_S)
        await self._directory.close()

    def use(self, pool: Pool) -> None:
        """Send these requests from now on."""
        self._values = pool.values
        if pool.raw:
            self._headers = [[*each, (h.CONTENT_TYPE, h.RAW_TYPE.encode())] for each in self._headers]

    def send(self, count: int, due: float) -> None:
        """Send requests that should have left at `due`, monotonic seconds."""
        leaving = Leaving(due, time.monotonic())
        numbers = self.flights.depart(count, leaving)
        if self.recorder is not None:
            self.recorder.leave(leaving, count)
        values, different, prefix, begin = self._values, len(self._values), self.flights.prefix, numbers.start
        for partition, size in self._turns.take(count):
            headers = self._headers[partition]
            records = [
                (None, values[number % different], [(h.ID, b"%s%d" % (prefix, number)), *headers], number, None)
                for number in range(begin, begin + size)
            ]
            self._publisher.add(self._lane.requests, partition, records)
            begin += size

    async def ask(self, partition: int, value: bytes | None = None) -> Answered | None:
        """Send one request that is not measured, and return its answer; None where none came in time.

        Args:
            partition: of the request topic.
            value: of the record; None is one of those in use.

        Raises:
            TransportError: Kafka refused it.
        """
        number = self.flights.reserve()
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        headers = [(h.ID, self.flights.id_of(number)), *self._headers[partition]]
        record = (None, self._values[0] if value is None else value, headers, number, None)
        self._publisher.add(self._lane.requests, partition, [record])
        try:
            async with asyncio.timeout(self._lane.timeout_s):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def expire(self) -> None:
        """Count the requests as lost whose deadline has passed."""
        now = time.monotonic()
        lost = self.flights.expire(now - self._lane.timeout_s)
        if lost:
            if self.recorder is not None:
                self.recorder.lose(lost, now)
            self.moved.set()

    def _came(self, records: Sequence[Any]) -> None:
        now = time.monotonic()
        answers: list[Leaving] = []
        for record in records:
            headers = dict(record.headers)
            number = self.flights.number_of(headers.get(h.ID))
            if number is None:
                continue
            asked = self._asked.get(number)
            if asked is not None:
                if not asked.done():
                    asked.set_result(answered(record.value, headers))
                continue
            leaving = self.flights.land(number)
            if leaving is not None and not is_failure(headers):
                answers.append(leaving)
            elif leaving is not None and self.recorder is not None:
                self._failed(self.recorder, leaving, record.value, headers, now)
        if answers and self.recorder is not None:
            self.recorder.answer(answers, now)
        self.moved.set()

    def _failed(
        self, recorder: Recorder, leaving: Leaving, value: bytes | None, headers: dict[str, bytes | None], now: float
    ) -> None:
        code = code_of(headers)
        message = "" if code in recorder.messages else error_of(value, headers).message
        recorder.fail(leaving, code, message, now)

    def _acked(self, numbers: Sequence[int], took_s: float) -> None:
        if self.recorder is not None:
            self.recorder.acknowledge(len(numbers), took_s, time.monotonic())

    def _refused(self, number: int, error: Exception) -> None:
        asked = self._asked.get(number)
        if asked is not None:
            if not asked.done():
                asked.set_exception(refusal(error))
            return
        leaving = self.flights.land(number)
        if leaving is not None and self.recorder is not None:
            self.recorder.fail(leaving, type(error).__name__, f"Kafka refused the request: {error}", time.monotonic())
        self.moved.set()
