"""Committed offsets that no open transaction is about to change: OffsetFetch with `require_stable` (KIP-447).

Struct: Kafka's message definitions, OffsetFetchRequest.json and OffsetFetchResponse.json, version 7; aiokafka has the
versions before.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from aiokafka import errors as kafka_errors
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.transport.by_topic import by_topic

_TEXT: Final = CompactString("utf-8")
UNSTABLE: Final = 88  # a transaction that wrote an offset has not ended yet


class OffsetFetchResponseV7(Response):  # type: ignore[misc]  # aiokafka has no types
    """Offsets and metadata."""

    API_KEY: ClassVar[int] = 9
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
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _TEXT),
                        ("error_code", Int16),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("error_code", Int16),
        ("tags", TaggedFields),
    )


class OffsetFetchRequestV7(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    """Kafka 2.5 and later."""

    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY: ClassVar[int] = 9
    API_VERSION: ClassVar[int] = 7
    RESPONSE_TYPE = OffsetFetchResponseV7
    SCHEMA = Schema(
        ("group", _TEXT),
        ("topics", CompactArray(("name", _TEXT), ("partitions", CompactArray(Int32)), ("tags", TaggedFields))),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


class StableOffsets(Request[OffsetFetchRequestV7]):  # type: ignore[misc]  # aiokafka has no types
    """Asks a group's coordinator for the committed offsets of partitions."""

    API_KEY = 9

    def __init__(self, group: str, places: Iterable[TopicPartition]) -> None:
        self._group = group
        self._by_topic = by_topic(places)

    def build(self, request_struct_class: type[OffsetFetchRequestV7]) -> OffsetFetchRequestV7:
        """Make the struct."""
        topics: list[Any] = [(name, numbers, {}) for name, numbers in self._by_topic]
        return request_struct_class(self._group, topics, True, {})


def stable(response: Any) -> dict[TopicPartition, OffsetAndMetadata] | None:
    """Return what is committed, partitions without a commit left out; None while a transaction is still ending.

    Raises:
        KafkaError: the coordinator refused.
    """
    found: dict[TopicPartition, OffsetAndMetadata] = {}
    codes = {response.error_code}
    for topic, partitions, _ in response.topics:
        for number, offset, _, metadata, error_code, _ in partitions:
            codes.add(error_code)
            if offset >= 0:
                found[TopicPartition(topic, number)] = OffsetAndMetadata(offset, metadata or "")
    for code in codes - {0, UNSTABLE}:
        raise kafka_errors.for_code(code)()
    return None if UNSTABLE in codes else found
