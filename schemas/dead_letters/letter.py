"""A dead letter as it lies on its topic: why a request could not be answered, and the request. Pure.

The headers that are added stand behind those of the request and begin with `FIRST`, so that the two can be told apart
whatever a request's own headers are called.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from penstock.schemas import headers as h
from penstock.schemas.errors import ErrorCode
from penstock.schemas.headers import Header
from penstock.schemas.record import Record

# Spring's, which its own tools read: DeadLetterPublishingRecoverer and KafkaHeaders.java. Numbers are big-endian.
FIRST: Final = "kafka_dlt-original-topic"
PARTITION: Final = "kafka_dlt-original-partition"
OFFSET: Final = "kafka_dlt-original-offset"
TIMESTAMP: Final = "kafka_dlt-original-timestamp"
GROUP: Final = "kafka_dlt-original-consumer-group"
EXCEPTION: Final = "kafka_dlt-exception-fqcn"
MESSAGE: Final = "kafka_dlt-exception-message"

# Ours, beside penstock-reason and penstock-source.
DIGEST: Final = "penstock-dlt-digest"
MODEL: Final = "penstock-dlt-model"
TIME: Final = "penstock-dlt-time"
ATTEMPTS: Final = "penstock-dlt-attempts"
PAYLOAD: Final = "penstock-dlt-payload"

# Of a request that was sent again: the dead letter that it was, and how often that has been done to it.
REDRIVEN_FROM: Final = "penstock-redriven-from"
REDRIVES: Final = "penstock-redrives"

KEPT: Final = "kept"
OMITTED: Final = "omitted"
_MOST_DIGITS: Final = 18  # of a number in decimal; any that is longer is not ours


class Coordinates(NamedTuple):
    """Where a record lies; written `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Coordinates":
        """Read `topic/partition/offset`. Raises: ValueError (it is nothing like that)."""
        topic, partition, offset = ["", "", *text.rsplit("/", 2)][-3:]
        if not topic or not _is_number(partition) or not _is_number(offset):
            raise ValueError(f"{text!r} is not TOPIC/PARTITION/OFFSET, such as requests-dlt/0/17")
        return cls(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One request that could not be answered.

    Attributes:
        at: where the dead letter lies.
        time_ms: when it was written, since the epoch.
        reason: an `ErrorCode` value, or one of a newer service.
        message: the same for a person.
        digest: equal for equal faults; empty where its worker wrote none.
        model: `name@version` that failed, else as far as the request named one; empty where it did not.
        source: where the request lay.
        source_time_ms: the request's timestamp.
        group: that gave it up.
        attempts: how often the request has been tried, 1 at least.
        payload_kept: the key and the value are those of the request.
        key, value, headers: of the request, as far as they are there.
    """

    at: Coordinates
    time_ms: int
    reason: str
    message: str
    digest: str
    model: str
    source: Coordinates
    source_time_ms: int
    group: str
    attempts: int
    payload_kept: bool
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]

    @property
    def hopeless(self) -> bool:
        """Nobody can read the request, so that it cannot be sent again."""
        return self.reason == ErrorCode.UNREADABLE.value


def read_dead_letter(topic: str, partition: int, record: Record) -> DeadLetter | None:
    """Read a record of a dead-letter topic; None where it is none of ours, or damaged."""
    original, added = _divided(record.headers)
    source = _source(added)
    if h.REASON not in added or source is None:
        return None
    payload = added.get(PAYLOAD)
    return DeadLetter(
        at=Coordinates(topic, partition, record.offset),
        time_ms=_decimal(added.get(TIME), record.timestamp),
        reason=_text(added, h.REASON),
        message=_text(added, MESSAGE),
        digest=_text(added, DIGEST),
        model=_text(added, MODEL),
        source=source,
        source_time_ms=int.from_bytes(added.get(TIMESTAMP, b""), "big", signed=True),
        group=_text(added, GROUP),
        attempts=max(1, _decimal(added.get(ATTEMPTS), 1)),
        # A worker of before wrote no such header, and left the value out of those that would not fit.
        payload_kept=payload == KEPT.encode() if payload is not None else record.value is not None,
        key=record.key,
        value=record.value,
        headers=original,
    )


def redrives_of(headers: Sequence[Header]) -> int:
    """Return how often a request has been sent again after it was a dead letter, as its headers say."""
    return max((_decimal(value, 0) for name, value in headers if name == REDRIVES), default=0)


def redriven_headers(letter: DeadLetter, headers: Sequence[Header]) -> list[Header]:
    """Return the headers with which a dead letter's request is sent again.

    Args:
        letter: the dead letter.
        headers: of the request, as it came first.
    """
    kept = [each for each in headers if each[0] not in (REDRIVEN_FROM, REDRIVES)]
    return [*kept, (REDRIVEN_FROM, str(letter.at).encode()), (REDRIVES, b"%d" % letter.attempts)]


def _divided(headers: Sequence[Header]) -> tuple[tuple[Header, ...], dict[str, bytes]]:
    """Return the headers of the request, and those that were added to it."""
    names = [name for name, _ in headers]
    if FIRST not in names:
        return tuple(headers), {}
    begin = len(names) - 1 - names[::-1].index(FIRST)
    return tuple(headers[:begin]), {name: value for name, value in headers[begin:] if value is not None}


def _source(added: dict[str, bytes]) -> Coordinates | None:
    topic, partition, offset = added.get(FIRST, b""), added.get(PARTITION, b""), added.get(OFFSET, b"")
    if not topic or len(partition) != 4 or len(offset) != 8:
        return None
    return Coordinates(
        topic.decode(errors="replace"),
        int.from_bytes(partition, "big", signed=True),
        int.from_bytes(offset, "big", signed=True),
    )


def _text(added: dict[str, bytes], name: str) -> str:
    return added.get(name, b"").decode(errors="replace")


def _decimal(value: bytes | None, otherwise: int) -> int:
    text = (value or b"").decode("ascii", errors="replace")
    return int(text) if _is_number(text) else otherwise


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
