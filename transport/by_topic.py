"""Partitions in the form in which Kafka's requests name them."""

from collections.abc import Iterable

from aiokafka.structs import TopicPartition


def by_topic(places: Iterable[TopicPartition]) -> list[tuple[str, list[int]]]:
    """Return the partitions of each topic, in the order in which topics and partitions come."""
    found: dict[str, list[int]] = {}
    for topic, number in places:
        found.setdefault(topic, []).append(number)
    return list(found.items())
