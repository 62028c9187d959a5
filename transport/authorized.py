"""What this user may do, as brokers tell it with their metadata: two requests that aiokafka lacks.

Asking is harmless: nothing is read, written or made. Structs and versions: Kafka's protocol guide, "Metadata" and
"DescribeGroups"; the bit fields of rights: KIP-430.
"""

from enum import IntEnum
from typing import ClassVar, Final

from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

_TEXT: Final = String("utf-8")
_NOT_TOLD: Final = -(2**31)  # the rights were not asked for, or the broker does not know

TOPIC_DENIED: Final = 29


class Operation(IntEnum):
    """What an ACL allows. Source: org.apache.kafka.common.acl.AclOperation."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12

    @property
    def option(self) -> str:
        """The value of `kafka-acls.sh --operation`."""
        return self.name.title().replace("_", "")


Rights = frozenset[Operation]


def rights(bits: int) -> Rights | None:
    """Turn a bit field of operations into a set; None where the broker did not tell."""
    if bits == _NOT_TOLD:
        return None
    return frozenset(operation for operation in Operation if bits & (1 << operation))


class MetadataResponseV8(Response):  # type: ignore[misc]  # aiokafka has no types
    """Brokers, topics and rights."""

    API_KEY: ClassVar[int] = 3
    API_VERSION: ClassVar[int] = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT))),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", _TEXT),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("number", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("in_sync", Array(Int32)),
                        ("offline", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("authorized_operations", Int32),
    )


class MetadataRequestV8(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    """Kafka 2.3 and later."""

    API_KEY: ClassVar[int] = 3
    API_VERSION: ClassVar[int] = 8
    RESPONSE_TYPE = MetadataResponseV8
    SCHEMA = Schema(
        ("topics", Array(_TEXT)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class AuthorizedMetadata(Request[MetadataRequestV8]):  # type: ignore[misc]  # aiokafka has no types
    """Asks for brokers, topics and rights, and creates no topic.

    A topic that one may not DESCRIBE is answered with TOPIC_DENIED, whether it exists or not, where it is named; in
    a list of all topics it is left out.

    Args:
        topics: names; None is all topics that one may see.
    """

    API_KEY = 3

    def __init__(self, topics: list[str] | None) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[MetadataRequestV8]) -> MetadataRequestV8:
        """Make the struct."""
        return request_struct_class(self._topics, False, True, True)


class DescribeGroupsRequestV3(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    """Kafka 2.3 and later; aiokafka's own reads the response without the rights."""

    API_KEY: ClassVar[int] = 15
    API_VERSION: ClassVar[int] = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(_TEXT)), ("include_authorized_operations", Boolean))


class AuthorizedGroup(Request[DescribeGroupsRequestV3]):  # type: ignore[misc]  # aiokafka has no types
    """Asks a coordinator for a group and the rights on it."""

    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[DescribeGroupsRequestV3]) -> DescribeGroupsRequestV3:
        """Make the struct."""
        return request_struct_class([self._group], True)
