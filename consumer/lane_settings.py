"""The section of the settings that a service and those who use or watch it must agree on."""

import re
from typing import Final

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from penstock.core.settings import SECTION

# Kafka's rule: org.apache.kafka.common.internals.Topic, LEGAL_CHARS and MAX_NAME_LENGTH.
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
TOPIC_GLOB: Final = re.compile(r"[a-zA-Z0-9._*?-]{1,249}")


def check_topic(name: str, legal: re.Pattern[str] = _TOPIC) -> None:
    """Hold a name, or a pattern of names, to Kafka's rule. Raises: ValueError."""
    if not legal.fullmatch(name) or name in (".", ".."):
        raise ValueError(f"{name!r} is no topic name: 1 to 249 of letters, digits, '.', '_' and '-'")


class LaneSettings(BaseModel):
    """Where requests come and replies go: what a service and those who use or watch it must agree on."""

    model_config = SECTION

    request_topics: tuple[str, ...] = Field(
        default=("requests",), min_length=1, description="Topics that requests are read from."
    )
    reply_topic: str = Field(default="replies", description="Topic of the replies to requests that name none.")
    dead_letter_topic: str | None = Field(
        default=None,
        description="Topic of the records that no reply can be sent to; by default the request topic's name with -dlt.",
    )
    group_id: str | None = Field(
        default=None, min_length=1, max_length=249, description="Consumer group that shares the requests."
    )
    processes: int = Field(
        default=1, ge=1, le=1024, description="Worker processes on this machine; one for each core to use."
    )
    max_reply_bytes: int = Field(
        default=1_000_000,
        ge=1024,  # an error reply must always fit
        le=2**31 - 1,
        description="Bytes of a reply; a larger one becomes an error reply. Keep it below the topic's limit.",
    )

    @field_validator("request_topics")
    @classmethod
    def _request_topics(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            check_topic(topic)
            if topics.count(topic) > 1:
                raise ValueError(f"{topic!r} is there twice")
        return topics

    @field_validator("reply_topic", "dead_letter_topic")
    @classmethod
    def _written_topic(cls, topic: str | None, info: ValidationInfo) -> str | None:
        if topic is None:
            return None
        check_topic(topic)
        if topic in info.data.get("request_topics", ()):
            raise ValueError(f"{topic!r} is a request topic: the worker would read what it writes")
        if info.field_name == "dead_letter_topic" and topic == info.data.get("reply_topic"):
            raise ValueError(f"{topic!r} is the reply topic: clients would read dead letters as replies")
        return topic

    def dead_letter_topic_of(self, request_topic: str) -> str:
        """Return where dead letters of a request topic go."""
        return self.dead_letter_topic or f"{request_topic}-dlt"
