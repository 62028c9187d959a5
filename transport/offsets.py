"""Where a partition begins and ends, and its newest record: ListOffsets, which needs no more than DESCRIBE.

Structs: Kafka's message definitions, ListOffsetsRequest.json and ListOffsetsResponse.json, version 7.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Final, NamedTuple

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int8, Int16, Int32, Int64, Schema, TaggedFields
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.transport.by_topic import by_topic

_TEXT: Final = CompactString("utf-8")
_CLIENT: Final = -1  # as replica_id: we are no broker
_ANY_EPOCH: Final = -1


class Place(IntEnum):
    """What is looked for in a partition."""

    END = -1
    BEGINNING = -2
    NEWEST = -3  # the record with the highest timestamp: KIP-734, Kafka 3.0 and later


class Listed(NamedTuple):
    """What was found.

    Attributes:
        offset: -1 where there is no record.
        timestamp_ms: of the newest record, since the epoch; -1 where that was not asked for, or there is none.
    """

    offset: int
    timestamp_ms: int


class ListOffsetsResponseV7(Response):  # type: ignore[misc]  # aiokafka has no types
    """Offsets and timestamps."""

    API_KEY: ClassVar[int] = 2
    API_VERSION: ClassVar[int] = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("number", Int32),
                        ("error_code", Int16),
                        ("timestamp", Int64),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ListOffsetsRequestV7(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    """Kafka 3.0 and later."""

    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY: ClassVar[int] = 2
    API_VERSION: ClassVar[int] = 7
    RESPONSE_TYPE = ListOffsetsResponseV7
    SCHEMA = Schema(
        ("replica_id", Int32),
        ("isolation_level", Int8),
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("number", Int32),
                        ("current_leader_epoch", Int32),
                        ("timestamp", Int64),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ListOffsets(Request[ListOffsetsRequestV7]):  # type: ignore[misc]  # aiokafka has no types
    """Asks the leader of partitions for offsets."""

    API_KEY = 2

    def __init__(self, partitions: Iterable[TopicPartition], wanted: Place) -> None:
        self._by_topic = by_topic(partitions)
        self._wanted = wanted

    def build(self, request_struct_class: type[ListOffsetsRequestV7]) -> ListOffsetsRequestV7:
        """Make the struct."""
        topics: list[Any] = [
            (topic, [(number, _ANY_EPOCH, int(self._wanted), {}) for number in numbers], {})
            for topic, numbers in self._by_topic
        ]
        return request_struct_class(_CLIENT, 0, topics, {})


def listed(response: Any) -> Iterator[tuple[TopicPartition, Listed]]:
    """Yield what a leader found; partitions that it refused are left out."""
    for topic, partitions, _ in response.topics:
        for number, error_code, timestamp_ms, offset, _, _ in partitions:
            if error_code == 0:
                yield TopicPartition(topic, number), Listed(offset, timestamp_ms)


def held(beginnings: Mapping[TopicPartition, Listed], ends: Mapping[TopicPartition, Listed], topic: str) -> int | None:
    """Return how many offsets a topic's partitions span together; None where nothing is known of them."""
    spans = [
        end.offset - beginnings[place].offset
        for place, end in ends.items()
        if place.topic == topic and place in beginnings
    ]
    return sum(spans) if spans else None


@dataclass(frozen=True, slots=True)
class Lag:
    """A partition, and how far a group is with it.

    Attributes:
        beginning, end: of what the log holds.
        committed: the next offset to read; None where the group has committed none.
    """

    beginning: int
    end: int
    committed: int | None

    @property
    def next_offset(self) -> int:
        """What is read next; without a commit the group begins at the beginning."""
        return self.beginning if self.committed is None else min(max(self.committed, self.beginning), self.end)

    @property
    def waiting(self) -> int:
        """Records that are still there and not finished."""
        return self.end - self.next_offset


def lags(
    beginnings: Mapping[TopicPartition, Listed],
    ends: Mapping[TopicPartition, Listed],
    committed: Mapping[TopicPartition, OffsetAndMetadata],
) -> dict[TopicPartition, Lag]:
    """Return how far a group is with each partition whose beginning and end are known."""
    return {
        place: Lag(beginnings[place].offset, end.offset, committed[place].offset if place in committed else None)
        for place, end in ends.items()
        if place in beginnings
    }
