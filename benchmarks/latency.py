"""The latency of single requests at a given rate: an open loop, so a slow answer delays no later request."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.workload import PARTITIONS, Workload

_PATIENCE_S = 30.0  # for the last replies
_START_S = 90.0  # for the first
_PROBE_S = 0.25
_QUIET = 2  # librdkafka complains of a broker that is stopped when somebody interrupts
_WARM_S = 2
_FIRST_PROBE = 1_000_000_000  # probes are numbered from here


@dataclass(frozen=True, slots=True)
class Latencies:
    """One run.

    Attributes:
        ms: from when each request should have left to its reply, without those of the first two seconds; negative where
            no reply came.
        double, wrong: replies that should not have come, of the whole run.
        late_ms: by how much the 99th of a hundred requests left too late, which is the generator's own fault.
    """

    ms: np.ndarray
    double: int
    wrong: int
    late_ms: float

    @property
    def fault(self) -> str:
        """What was wrong with the replies, empty if nothing."""
        missing = int((self.ms < 0).sum())
        if not (missing or self.double or self.wrong):
            return ""
        return f"{missing} replies missing, {self.double} double, {self.wrong} wrong"


class _Replies:
    """Reads replies in a thread of its own, and stamps each."""

    def __init__(self, bootstrap: str, replies: str, workload: Workload, count: int) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"latency-{replies}",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
                "log_level": _QUIET,
            }
        )
        self._consumer.assign([TopicPartition(replies, partition, 0) for partition in range(PARTITIONS)])
        self._workload = workload
        self.came = np.zeros(count)
        self.left, self.probes, self.double, self.wrong = count, 0, 0, 0
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="replies", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self.ended.is_set():
            message = self._consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            now = time.perf_counter()
            index, right = self._workload.judge(message.key(), message.value())
            self.wrong += not right
            if index >= _FIRST_PROBE:
                self.probes += 1
            elif 0 <= index < len(self.came):
                if self.came[index]:
                    self.double += 1
                else:
                    self.left -= 1
                    self.came[index] = now

    def close(self) -> None:
        self.ended.set()
        self._thread.join()
        self._consumer.close()


def timed_replies(
    bootstrap: str,
    requests: str,
    replies: str,
    workload: Workload,
    *,
    per_second: int,
    seconds: float,
    headers: list[tuple[str, bytes]] | None = None,
    watch: Callable[[], None] = lambda: None,
) -> Latencies:
    """Wait until the contestant answers, then send requests at a steady rate.

    Args:
        bootstrap: Kafka's addresses.
        requests: topic that nobody else uses.
        replies: the same.
        workload: makes requests and judges replies.
        per_second: how many.
        seconds: how long, after two seconds that do not count.
        headers: of requests, beyond those of the workload.
        watch: called now and then; what it raises ends the run.

    Raises:
        TimeoutError: the contestant answers nothing.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": _QUIET})
    carried = [*workload.headers, *(headers or [])]
    count = int(per_second * (seconds + _WARM_S))
    reading = _Replies(bootstrap, replies, workload, count)

    def send(index: int) -> None:
        value, key = workload.value(index), workload.key(index)
        producer.produce(requests, value, key, index % PARTITIONS, headers=carried)  # type: ignore[arg-type]
        producer.poll(0)

    try:
        _await_answers(reading, send, watch)
        due, left = _send_on_time(count, per_second, send, watch)
        producer.flush(_PATIENCE_S)
        deadline = time.perf_counter() + _PATIENCE_S
        while reading.left and time.perf_counter() < deadline:
            watch()
            time.sleep(0.05)
    finally:
        reading.close()
    counted = slice(per_second * _WARM_S, None)
    late_ms = float(np.percentile(left - due, 99)) * 1000
    return Latencies(((reading.came - due) * 1000)[counted], reading.double, reading.wrong, late_ms)


def _await_answers(reading: _Replies, send: Callable[[int], None], watch: Callable[[], None]) -> None:
    """Send a request now and then until they are all answered: the contestant is up, and has joined its group."""
    sent, deadline = 0, time.perf_counter() + _START_S
    while not reading.probes or reading.probes < sent:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"it answered {reading.probes} of {sent} requests in the first {_START_S:.0f} s")
        watch()
        if not reading.probes:
            send(_FIRST_PROBE + sent)
            sent += 1
        time.sleep(_PROBE_S)


def _send_on_time(
    count: int, per_second: int, send: Callable[[int], None], watch: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Send each request when it is due. Return when each was due, and when each left."""
    start = time.perf_counter() + 0.05
    due, left = start + np.arange(count) / per_second, np.zeros(count)
    for index in range(count):
        while (early := due[index] - time.perf_counter()) > 0:
            time.sleep(early)
        left[index] = time.perf_counter()
        send(index)
        if index % per_second == 0:
            watch()
    return due, left
