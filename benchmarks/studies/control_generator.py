"""Streams of requests by a schedule, and every reply to them: one thread sends and one reads.

Replies are looked into after a run, so that a fast one does not wait for that.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from benchmarks.studies.control_answers import Answers, Reply, Request, answers_of
from benchmarks.studies.failures import StudyError
from benchmarks.studies.lane import Lane
from penstock.schemas import headers

PATIENCE_S: Final = 30.0  # for the last replies
_DOUBLES_S: Final = 0.3  # for replies that come twice, once every request has one
_POLL_S: Final = 0.05
_LEAD_S: Final = 0.02  # until the first request is due
_NAP_S: Final = 0.0002
_OF_A_STREAM: Final = 1_000_000  # keys


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests that are due evenly.

    Attributes:
        per_second: how many.
        keys: distinct ones, in turn.
        tenant: whose they are; none where it is empty.
        partition: where all go; None spreads the keys over all.
    """

    per_second: float
    keys: int
    tenant: str = ""
    partition: int | None = None


class Generator:
    """Sends and reads. Runs follow one another.

    Args:
        bootstrap: Kafka's addresses.
        lane: whose topics are there.
    """

    def __init__(self, bootstrap: str, lane: Lane) -> None:
        self._lane = lane
        options = {"bootstrap.servers": bootstrap, "log_level": 3}
        self._producer = Producer({**options, "linger.ms": 0, "enable.idempotence": True})
        self._consumer = Consumer({**options, "group.id": f"reads-{lane.replies}", "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(lane.replies, partition, 0) for partition in range(lane.partitions)])
        self._begun = 0  # requests of earlier runs: ids are never used again
        self._requests: list[Request] = []
        self._came: list[tuple[float, Message]] = []
        self._failure: str | None = None

    def begin(self, streams: Sequence[Stream]) -> None:
        """Send until `end`."""
        self._begun += len(self._requests)
        self._requests, self._came = [], []
        self._stopping, self._sent_all = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._send, streams), daemon=True),
            threading.Thread(target=self._guarded, args=(self._read,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> Answers | str:
        """Send no more, wait for the last replies, and return what became of all; a text says what went wrong."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._failure is not None:
            return self._failure
        replies = [_reply(at, message) for at, message in self._came]
        return answers_of(self._requests, (each._replace(number=each.number - self._begun) for each in replies))

    def _guarded(self, work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as error:
            self._failure = f"the generator failed: {error!r}"
        finally:
            if work == self._send:
                self._sent_all.set()

    def _send(self, streams: Sequence[Stream]) -> None:
        start = time.monotonic() + _LEAD_S
        sent = [0] * len(streams)
        while not self._stopping.is_set():
            due, which = min((start + sent[at] / each.per_second, at) for at, each in enumerate(streams))
            while (early := due - time.monotonic()) > 0:
                time.sleep(min(max(early, _NAP_S), _POLL_S))
            number = sent[which] % streams[which].keys
            sent[which] += 1
            self._produce(due, which, streams[which], number)
            if len(self._requests) % 32 == 0:
                self._producer.poll(0)
        if self._producer.flush(PATIENCE_S):
            raise StudyError("Kafka takes no more requests; see its log")

    def _produce(self, due: float, which: int, stream: Stream, number: int) -> None:
        index = self._begun + len(self._requests)
        carried: Any = [(headers.CONTENT_TYPE, headers.RAW_TYPE.encode()), (headers.ID, b"%d" % index)]
        if stream.tenant:
            carried.append((headers.TENANT, stream.tenant.encode()))
        partition = number % self._lane.partitions if stream.partition is None else stream.partition
        self._requests.append(Request(due, time.monotonic(), which, which * _OF_A_STREAM + number))
        # x is the request's number in its run, which the answer holds too.
        x = np.float64(len(self._requests) - 1).tobytes()
        key = b"%s-%d" % (stream.tenant.encode() or b"key", number)
        self._producer.produce(self._lane.requests, x, key, partition, headers=carried)

    def _read(self) -> None:
        """Receive until every request has a reply, or patience is over."""
        answered: set[int] = set()
        looked_at, deadline = 0, float("inf")
        while time.monotonic() < deadline:
            message = self._consumer.poll(_POLL_S)
            error = message.error() if message is not None else None
            if message is not None and error is None:
                self._came.append((time.monotonic(), message))
            elif error is not None and not error.retriable():
                raise StudyError(f"replies could not be read: {error}")
            if not self._sent_all.is_set():
                continue
            deadline = min(deadline, time.monotonic() + PATIENCE_S)
            if len(self._came) >= len(self._requests) and looked_at < len(self._came):
                indexes = {_index(each) for _, each in self._came[looked_at:]}
                answered.update(index for index in indexes if index >= self._begun)
                looked_at = len(self._came)
                if len(answered) >= len(self._requests):
                    deadline = min(deadline, time.monotonic() + _DOUBLES_S)


def _headers(message: Message) -> dict[str, Any]:
    return dict(message.headers() or ())


def _index(message: Message) -> int:
    return int(_headers(message).get(headers.ID, b"-1"))


def _reply(at: float, message: Message) -> Reply:
    said, value = _headers(message), message.value() or b""
    number, source, epoch = (said.get(name, b"-1") for name in (headers.ID, headers.SOURCE, headers.EPOCH))
    if headers.ERROR in said or len(value) != 8:
        return Reply(at, int(number), source, 0, int(epoch), None, said.get(headers.ERROR, b"no answer").decode())
    version = int(said[headers.MODEL].rpartition(b"@")[2])
    return Reply(at, int(number), source, version, int(epoch), float(np.frombuffer(value, "<f8")[0]))
