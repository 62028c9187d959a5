"""The topics of a service: what each is for, and what must fit into it. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from penstock.consumer.lane_settings import LaneSettings
from penstock.core.settings import LimitsSettings

KAFKA_MAX_MESSAGE_BYTES: Final = 1_048_588  # Kafka's default of max.message.bytes
RECORD_OVERHEAD: Final = 1024  # bytes of a record's key and framing, and of the batch around it
# Of request topics. Brokers check a batch's size while it is compressed: a small one may hold a record of any size.
REQUEST_COMPRESSION: Final = ("compression.type", "uncompressed")
DEAD_LETTER_OVERHEAD: Final = 16 * 1024  # bytes of the headers that say why


class Role(StrEnum):
    """What a topic is for."""

    REQUEST = "request"
    REPLY = "reply"
    DEAD_LETTER = "dead letter"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes that the service lets through: of a request's value and headers, and of a reply."""

    request: int
    headers: int
    reply: int

    @classmethod
    def of(cls, lane: LaneSettings, limits: LimitsSettings) -> "Sizes":
        """Make those of a service with these settings."""
        return cls(limits.max_bytes, limits.max_header_bytes, lane.max_reply_bytes)


def roles(lane: LaneSettings) -> dict[str, Role]:
    """Return the topics of a service, each once, in the order of a request's way."""
    dead_letters = map(lane.dead_letter_topic_of, lane.request_topics)
    return {
        **dict.fromkeys(lane.request_topics, Role.REQUEST),
        lane.reply_topic: Role.REPLY,
        **dict.fromkeys(dead_letters, Role.DEAD_LETTER),
    }


def message_bytes(role: Role, sizes: Sizes) -> int:
    """Return the `max.message.bytes` that a topic of this role needs."""
    request = sizes.request + sizes.headers + RECORD_OVERHEAD
    needed = {
        Role.REQUEST: request,
        Role.REPLY: sizes.reply + RECORD_OVERHEAD,
        Role.DEAD_LETTER: request + DEAD_LETTER_OVERHEAD,
    }
    return max(KAFKA_MAX_MESSAGE_BYTES, needed[role])


def in_sync_for(replication: int) -> int:
    """Return the `min.insync.replicas` that suits so many copies."""
    return 2 if replication >= 3 else 1
