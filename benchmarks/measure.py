"""What is measured: the rate over a full topic, and the latency of single requests at a given rate."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from benchmarks.latency import Latencies, timed_replies
from benchmarks.topics import Topics
from benchmarks.workload import PARTITIONS, Workload

__all__ = [
    "Latencies",
    "Rate",
    "StalledError",
    "check_replies",
    "latencies",
    "rate",
    "timed_replies",
    "wait_for_replies",
]

_PATIENCE_S = 60.0  # without one more reply
_FIRST_POLL_S, _POLL_S = 0.05, 0.1


class StalledError(Exception):
    """Replies stopped coming."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second, between the broker's time stamps of the first and the last reply; and what was wrong."""

    per_second: float
    missing: int
    double: int
    wrong: int
    seconds: float = 0.0

    @property
    def fault(self) -> str:
        """What was wrong with the replies, empty if nothing."""
        if not (self.missing or self.double or self.wrong):
            return ""
        return f"{self.missing} replies missing, {self.double} double, {self.wrong} wrong"


def rate(bootstrap: str, replies: str, workload: Workload, count: int) -> Rate:
    """Wait until every request is answered, then check each reply and compute the rate.

    Raises:
        StalledError: no reply came for a minute.
    """
    wait_for_replies(Topics(bootstrap), replies, count)
    return check_replies(bootstrap, replies, workload, count)


def wait_for_replies(
    topics: Topics, replies: str, count: int, watch: Callable[[int], None] = lambda written: None
) -> None:
    """Wait until a topic has that many records.

    Args:
        topics: of the cluster.
        replies: the topic.
        count: of records.
        watch: called with the number at every look; what it raises ends the wait.

    Raises:
        StalledError: no further record came for a minute.
    """
    written, changed = 0, time.monotonic()
    while written < count:
        time.sleep(_POLL_S if written else _FIRST_POLL_S)
        now = max(topics.written(replies), written)
        if now > written:
            written, changed = now, time.monotonic()
        watch(written)
        if time.monotonic() - changed > _PATIENCE_S:
            raise StalledError(f"{written:,} of {count:,} replies came, and then none for {_PATIENCE_S:.0f} s")


def check_replies(bootstrap: str, replies: str, workload: Workload, count: int, *, echoes: bool = False) -> Rate:
    """Read a topic to its end, check each reply, and compute the rate.

    Args:
        bootstrap: Kafka's addresses.
        replies: the topic.
        workload: judges.
        count: of requests.
        echoes: the replies must be the requests themselves.
    """
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"check-{replies}", "enable.auto.commit": False})
    consumer.assign([TopicPartition(replies, partition, 0) for partition in range(PARTITIONS)])
    judge = workload.is_echo if echoes else workload.judge
    seen = np.zeros(count, dtype=np.int64)
    left, wrong, first, last = Topics(bootstrap).written(replies), 0, 2**62, 0
    while left > 0 and (messages := consumer.consume(min(5000, left), timeout=5.0)):
        for message in messages:
            index, right = judge(message.key(), message.value())
            if 0 <= index < count:
                seen[index] += 1
            wrong += not (right and 0 <= index < count)
            stamp = message.timestamp()[1]
            first, last = min(first, stamp), max(last, stamp)
        left -= len(messages)
    consumer.close()
    seconds = max(last - first, 1) / 1000
    return Rate(count / seconds, int((seen == 0).sum()), int((seen > 1).sum()), wrong, seconds)


def latencies(
    bootstrap: str, requests: str, replies: str, workload: Workload, *, per_second: int, seconds: float
) -> np.ndarray:
    """Send requests at a steady rate and return the milliseconds to each reply, from when it should have left.

    The first two seconds are left out. A request without a reply has a negative time.
    """
    return timed_replies(bootstrap, requests, replies, workload, per_second=per_second, seconds=seconds).ms
