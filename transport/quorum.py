"""The clock of the cluster's controller, as DescribeQuorum tells it.

The leader of the metadata quorum gives its own current time as its LastFetchTimestamp. Source: KIP-595 and KIP-836;
the structs: Kafka's message definitions, DescribeQuorumRequest.json and DescribeQuorumResponse.json, version 1.
"""

from typing import Any, ClassVar, Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

_TEXT: Final = CompactString("utf-8")
_METADATA_TOPIC: Final = "__cluster_metadata"
_REPLICAS: Final = CompactArray(
    ("replica_id", Int32),
    ("log_end_offset", Int64),
    ("last_fetch_timestamp", Int64),
    ("last_caught_up_timestamp", Int64),
    ("tags", TaggedFields),
)


class DescribeQuorumResponseV1(Response):  # type: ignore[misc]  # aiokafka has no types
    """The state of the metadata quorum."""

    API_KEY: ClassVar[int] = 55
    API_VERSION: ClassVar[int] = 1
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("number", Int32),
                        ("error_code", Int16),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("current_voters", _REPLICAS),
                        ("observers", _REPLICAS),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorumRequestV1(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    """Kafka 3.3 and later, with KRaft."""

    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY: ClassVar[int] = 55
    API_VERSION: ClassVar[int] = 1
    RESPONSE_TYPE = DescribeQuorumResponseV1
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                ("partitions", CompactArray(("number", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorum(Request[DescribeQuorumRequestV1]):  # type: ignore[misc]  # aiokafka has no types
    """Asks any broker for the state of the metadata quorum; needs the right DESCRIBE on the cluster."""

    API_KEY = 55

    def build(self, request_struct_class: type[DescribeQuorumRequestV1]) -> DescribeQuorumRequestV1:
        """Make the struct."""
        return request_struct_class([(_METADATA_TOPIC, [(0, {})], {})], {})


def leader_clock_ms(response: Any) -> int | None:
    """Return the leader's time in epoch milliseconds; None where the answer is a refusal."""
    for _, partitions, _ in response.topics or ():
        for _, error_code, leader_id, _, _, voters, _, _ in partitions:
            for replica_id, _, last_fetch_ms, _, _ in voters:
                if error_code == 0 and replica_id == leader_id and last_fetch_ms > 0:
                    return int(last_fetch_ms)
    return None
