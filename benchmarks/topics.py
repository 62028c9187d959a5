"""Topics of a benchmark: made, looked at, thrown away. Blocking, on librdkafka."""

import time
from concurrent.futures import TimeoutError as FutureTimeoutError

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from benchmarks.workload import PARTITIONS

_TIMEOUT_S = 15.0


class Topics:
    """The topics of one cluster."""

    def __init__(self, bootstrap: str) -> None:
        # Quiet: when the broker is stopped at the end, its client would complain of it.
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})

    def make(self, name: str) -> str:
        """Create a topic whose records are stamped by the broker when they arrive, and wait until it can be used."""
        topic = NewTopic(name, PARTITIONS, 1, config={"message.timestamp.type": "LogAppendTime"})
        self._admin.create_topics([topic], operation_timeout=_TIMEOUT_S)[name].result(_TIMEOUT_S)
        deadline = time.monotonic() + _TIMEOUT_S
        # Without being asked for its metadata, librdkafka goes on to say that the new topic has no leaders.
        self._admin.list_topics(name, timeout=_TIMEOUT_S)
        while self.written(name) < 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the topic {name} has no leader after {_TIMEOUT_S:.0f} s; see Kafka's log")
            time.sleep(0.05)
            self._admin.list_topics(name, timeout=_TIMEOUT_S)
        return name

    def written(self, name: str) -> int:
        """Return how many records a topic has got, or -1 while Kafka does not say."""
        wanted = {TopicPartition(name, partition): OffsetSpec.latest() for partition in range(PARTITIONS)}
        try:
            found = self._admin.list_offsets(wanted, request_timeout=5.0)
            return sum(each.result(5.0).offset for each in found.values())
        except (KafkaException, FutureTimeoutError):
            return -1

    def drop(self, *names: str) -> None:
        """Delete topics, so that they take no room on the disk. Nothing depends on it."""
        self._admin.delete_topics(list(names))
