"""The generator: requests that leave by a schedule, however slowly the earlier ones are answered.

One thread sends and one reads. Replies are looked into after they have been stamped and counted, so that a fast run
does not wait for the reading of JSON. What the generator cannot keep up with is told: see `Flow.kept_schedule`.
"""

import threading
import time
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from benchmarks.studies.failures import StudyError
from benchmarks.studies.flow import Flow, flow_of
from benchmarks.studies.lane import Lane
from benchmarks.workload import KEYS, Workload

_POLL_S = 0.05
_PATIENCE_S = 30.0  # for the last replies
_LEAD_S = 0.02  # until the first request is due
_NAP_S = 0.0002  # at high rates several requests leave at one waking, rather than each at one of its own


class OpenLoop:
    """Sends requests at a steady rate and receives their replies. A context manager; runs follow one another.

    Args:
        bootstrap: Kafka's addresses.
        workload: makes requests and judges replies.
        lane: whose topics are there.
    """

    def __init__(
        self,
        bootstrap: str,
        workload: Workload,
        lane: Lane,
    ) -> None:
        self._workload, self._lane = workload, lane
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 0,
                # At most five batches on their way: what comes meanwhile gathers, as with most clients' defaults.
                "enable.idempotence": True,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 3,  # a coordinator that is loading, at the first start of a broker, is no news
            }
        )
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": f"reads-{lane.replies}", "enable.auto.commit": False}
        )
        self._consumer.assign([TopicPartition(lane.replies, partition, 0) for partition in range(lane.partitions)])
        self._begun = 0  # requests of earlier runs
        self._running = threading.Lock()
        self._ended = threading.Event()
        self._sent_all = threading.Event()
        self._failure: KafkaError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with self._running:  # a run that was left alone, by Ctrl-C for example, ends first
            self._producer.flush(2.0)
            self._producer.close()
            self._consumer.close()

    def run(self, per_second: float, seconds: float, enough: Callable[[], bool] = lambda: False) -> Flow:
        """Send for so long and wait for the replies. Blocks: call it in a thread.

        Args:
            per_second: requests that are due in a second, evenly.
            seconds: how long requests are due.
            enough: asked all the time; True ends the sending.

        Raises:
            StudyError: Kafka refused to be read or written.
        """
        due: list[float] = []
        left: list[float] = []
        stamps: list[float] = []
        values: list[bytes] = []
        self._sent_all.clear()
        reader = threading.Thread(target=self._read, args=(due, stamps, values), name="study-replies")
        with self._running:
            reader.start()
            try:
                self._send(per_second, int(per_second * seconds), enough, due, left)
            finally:
                self._sent_all.set()
                reader.join()
        base, self._begun = self._begun, self._begun + len(due)
        if self._failure is not None:
            raise StudyError(f"replies could not be read: {self._failure}")
        judged = map(self._workload.is_right, values)
        replies = [(index - base, at, right) for (index, right), at in zip(judged, stamps, strict=True)]
        return flow_of(due, left, replies)

    def _send(
        self, per_second: float, most: int, enough: Callable[[], bool], due: list[float], left: list[float]
    ) -> None:
        start = time.monotonic() + _LEAD_S
        for number in range(most):
            at = start + number / per_second
            while (early := at - time.monotonic()) > 0:
                time.sleep(min(max(early, _NAP_S), _POLL_S))
                if self._ended.is_set() or enough():
                    return
            index = self._begun + number
            due.append(at)
            left.append(time.monotonic())
            self._produce(index)
            if number % 32 == 0:
                self._producer.poll(0)
                if self._ended.is_set() or enough():
                    return

    def _produce(self, index: int) -> None:
        value, key = self._workload.value(index), b"k%d" % (index % KEYS)
        for attempt in count():
            try:
                self._producer.produce(self._lane.requests, value, key, partition=index % self._lane.partitions)
                return
            except BufferError:  # a million requests wait for the broker: the schedule is lost anyway
                self._producer.poll(_POLL_S)
                if attempt * _POLL_S > _PATIENCE_S:
                    raise StudyError("Kafka takes no more requests; see its log") from None

    def _read(self, due: list[float], stamps: list[float], values: list[bytes]) -> None:
        """Receive until every request has a reply, or patience is over; `due` and the rest grow meanwhile."""
        answered: set[int] = set()
        looked_at, deadline = 0, float("inf")
        while not self._ended.is_set():
            message = self._consumer.poll(_POLL_S)
            error = message.error() if message is not None else None
            if error is not None and not error.retriable():
                self._failure = error
                return
            if message is not None and error is None:
                stamps.append(time.monotonic())
                values.append(message.value() or b"{}")
            if not self._sent_all.is_set():
                continue
            deadline = min(deadline, time.monotonic() + _PATIENCE_S)
            if len(values) >= len(due) and looked_at < len(values):
                indexes = {self._workload.is_right(value)[0] for value in values[looked_at:]}
                answered.update(index for index in indexes if index >= self._begun)
                looked_at = len(values)
                if len(answered) >= len(due):
                    return
            if time.monotonic() > deadline:
                return
