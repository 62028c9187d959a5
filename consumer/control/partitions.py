"""The open partitions of a worker, as throttles and lanes look at them."""

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from penstock.consumer.assignment import Assignment
from penstock.consumer.progress import PartitionProgress


class Partitions:
    """Tells which partitions are open, and what waits in them. Asks nobody: it reads what the client knows.

    Args:
        consumer: the group's member.
        assignment: which partitions are open.
    """

    def __init__(self, consumer: AIOKafkaConsumer, assignment: Assignment) -> None:
        self._consumer = consumer
        self._assignment = assignment

    def __repr__(self) -> str:
        return f"<Partitions {self.own} of {self.all}>"

    @property
    def own(self) -> int:
        """How many are open here."""
        return len(self._assignment.open)

    @property
    def all(self) -> int:
        """How many the request topics have, as far as the client knows."""
        return sum(len(self._consumer.partitions_for_topic(topic) or ()) for topic in self._consumer.subscription())

    def by_topic(self) -> dict[str, dict[TopicPartition, PartitionProgress]]:
        """Return the open partitions and their progress."""
        found: dict[str, dict[TopicPartition, PartitionProgress]] = {}
        for place, progress in self._assignment.open.items():
            found.setdefault(place.topic, {})[place] = progress
        return found

    def lag(self, topic: str | None = None) -> int:
        """Return how many records wait in Kafka, as far as the last fetch told; of all topics where none is named."""
        waiting, assigned = 0, self._consumer.assignment()
        for place, progress in self._assignment.open.items():
            if place in assigned and topic in (None, place.topic) and progress.position is not None:
                waiting += max(0, (self._consumer.highwater(place) or 0) - progress.position)
        return waiting
