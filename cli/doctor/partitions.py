"""Judges the partitions of topics: do they have a leader, and copies enough?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from aiokafka.structs import TopicPartition

from penstock.cli.doctor.finding import TOPICS, Finding
from penstock.cli.remedies import KafkaTools
from penstock.transport.cluster import Partition, Topic

_NAMED: Final = 6  # partitions in one line


def judge_partitions(
    topics: Sequence[Topic], settings: Mapping[str, Mapping[str, str]], tools: KafkaTools
) -> Iterator[Finding]:
    """Judge every partition.

    Args:
        topics: those that are there.
        settings: by topic; those one may not see are left out.
        tools: for the commands.
    """

    def needed(topic: Topic) -> int:
        return min(topic.replication, int(settings.get(topic.name, {}).get("min.insync.replicas", 1)))

    def those(is_so: Callable[[Topic, Partition], bool]) -> list[TopicPartition]:
        return [
            TopicPartition(topic.name, partition.number)
            for topic in topics
            for partition in topic.partitions
            if is_so(topic, partition)
        ]

    offline = those(lambda _, each: each.leader is None)
    closed = those(lambda topic, each: each.leader is not None and len(each.in_sync) < needed(topic))
    behind = those(lambda _, each: each.leader is not None and len(each.in_sync) < len(each.replicas))
    behind = [place for place in behind if place not in closed]
    if offline:
        why = "Nothing can be read from them or written to them."
        mend = "Start the brokers that hold their copies:"
        yield TOPICS.fault("offline", f"without a leader: {places(offline)}", why, mend, _look(offline, tools))
    if closed:
        why = "min.insync.replicas wants more copies in sync than there are: writes are refused."
        mend = "Start the brokers that hold the others:"
        yield TOPICS.fault("in sync", f"not writable: {places(closed)}", why, mend, _look(closed, tools))
    if behind:
        why = "Another broker that fails may stop writes, or lose records."
        mend = "Look for a broker that is down or slow:"
        what = f"copies out of sync: {places(behind)}"
        yield TOPICS.warning("in sync", what, why, mend, _look(behind, tools))


def places(found: Sequence[TopicPartition] | Mapping[TopicPartition, object]) -> str:
    """Name partitions, as `requests/0, requests/1 and 6 more`."""
    names = [f"{place.topic}/{place.partition}" for place in sorted(found)]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _look(found: Sequence[TopicPartition], tools: KafkaTools) -> tuple[str, ...]:
    return tuple(tools.describe_topic(topic) for topic in dict.fromkeys(place.topic for place in found))[:1]
