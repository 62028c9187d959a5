"""Which release of Kafka a broker is.

The protocol has no word for it. But a broker tells which levels of the feature `metadata.version` it supports, and
the highest belongs to one release. Source: KIP-584 and org.apache.kafka.server.common.MetadataVersion; the structs:
Kafka's message definitions, ApiVersionsRequest.json and ApiVersionsResponse.json, version 3.
"""

from io import BytesIO
from typing import Any, ClassVar, Final

from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

_TEXT: Final = CompactString("utf-8")
_SUPPORTED_FEATURES: Final = 0  # the tag of the field
_FEATURES: Final = CompactArray(("name", _TEXT), ("lowest", Int16), ("highest", Int16), ("tags", TaggedFields))
# The highest level of each release that has KRaft.
_HIGHEST_LEVEL: Final = {
    7: "3.3", 8: "3.4", 11: "3.5", 14: "3.6", 19: "3.7", 20: "3.8", 21: "3.9",
    25: "4.0", 27: "4.1", 29: "4.2", 30: "4.3",
}  # fmt: skip


class ApiVersionsResponseV3(Response):  # type: ignore[misc]  # aiokafka has no types
    """The requests that a broker takes, and its features among the tagged fields."""

    API_KEY: ClassVar[int] = 18
    API_VERSION: ClassVar[int] = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "api_keys",
            CompactArray(("api_key", Int16), ("lowest", Int16), ("highest", Int16), ("tags", TaggedFields)),
        ),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )


class ApiVersionsRequestV3(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    """Kafka 2.4 and later."""

    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY: ClassVar[int] = 18
    API_VERSION: ClassVar[int] = 3
    RESPONSE_TYPE = ApiVersionsResponseV3
    SCHEMA = Schema(("client_software_name", _TEXT), ("client_software_version", _TEXT), ("tags", TaggedFields))

    def parse_response_header(self, read_buffer: BytesIO | bytes) -> ResponseHeader_v0:
        """Read the header without tags: this one response keeps it, so that any client can read a refusal."""
        header: ResponseHeader_v0 = ResponseHeader_v0.decode(read_buffer)
        return header


class ApiVersions(Request[ApiVersionsRequestV3]):  # type: ignore[misc]  # aiokafka has no types
    """Asks a broker what it can do; answered also before one has logged in."""

    API_KEY = 18

    def build(self, request_struct_class: type[ApiVersionsRequestV3]) -> ApiVersionsRequestV3:
        """Make the struct."""
        return request_struct_class("penstock", "1", {})


def release_of(response: Any) -> str | None:
    """Return the broker's release, as `4.3`; None where it does not tell, as other makes than Apache's."""
    field = response.tags.get(_SUPPORTED_FEATURES)
    features = _FEATURES.decode(BytesIO(field)) if field else None
    for name, _, highest, _ in features or ():
        if name == "metadata.version":
            return _release_of_level(highest)
    return None


def _release_of_level(level: int) -> str:
    known = max(_HIGHEST_LEVEL)
    if level > known:
        return f"newer than {_HIGHEST_LEVEL[known]}"
    return next(_HIGHEST_LEVEL[highest] for highest in sorted(_HIGHEST_LEVEL) if level <= highest)
