"""Who reads: one while all goes on, and one of everything at the end, committed or not."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tests.chaos.records import Seen, seen_of

Isolation = Literal["read_committed", "read_uncommitted"]
_POLL_S: Final = 0.1
_MOST: Final = 2000
_END_S: Final = 120.0


def _consumer(bootstrap: str, isolation: Isolation, **more: object) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reads-without-a-group",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "fetch.wait.max.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
            **more,
        }
    )


class LiveReader:
    """Reads outcomes as they are committed, in a thread of its own.

    Args:
        bootstrap: the nodes' own addresses.
        topics: replies and dead letters, with their partitions.

    Attributes:
        seen: outcomes in the order of reading.
        answered: the sources that have one.
    """

    def __init__(self, bootstrap: str, topics: dict[str, int]) -> None:
        self.seen: list[Seen] = []
        self.answered: set[tuple[int, int]] = set()
        self.failure: BaseException | None = None
        self._consumer = _consumer(bootstrap, "read_committed")
        self._consumer.assign([TopicPartition(name, p, 0) for name, count in topics.items() for p in range(count)])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Read until stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; blocks. Raises: what the thread met."""
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def end(self) -> None:
        """Stop, whatever happened; blocks. Does nothing where it has stopped, or never began."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for message in self._consumer.consume(_MOST, _POLL_S):
                    if message.error() is None:
                        seen = seen_of(message)
                        self.seen.append(seen)
                        self.answered.add(seen.source)
        except BaseException as error:
            self.failure = error
        finally:
            self._consumer.close()


def read_all(
    bootstrap: str, topic: str, isolation: Isolation, read: Callable[[Any], Any]
) -> tuple[list[Any], dict[int, int]]:
    """Read a topic from its first record to its end; blocks.

    Args:
        bootstrap: the nodes' own addresses.
        topic: which.
        isolation: whether what transactions have not committed is read too.
        read: makes of each message what is returned.

    Returns:
        What was read, and the end of each partition as this reader may see it: an open transaction hides the rest.

    Raises:
        KafkaException: it cannot be read.
        TimeoutError: the end was not reached.
    """
    consumer = _consumer(bootstrap, isolation, **{"enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=_END_S).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    found: list[Any] = []
    ends: dict[int, int] = {}
    deadline = time.monotonic() + _END_S
    try:
        while len(ends) < len(partitions):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the end of {topic} was not reached: {ends}")
            for message in consumer.consume(_MOST, _POLL_S):
                error = message.error()
                if error is None:
                    found.append(read(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends[int(message.partition() or 0)] = int(message.offset() or 0)
                elif not error.retriable() and error.code() != KafkaError._ALL_BROKERS_DOWN:
                    raise KafkaException(error)
    finally:
        consumer.close()
    return found, ends
