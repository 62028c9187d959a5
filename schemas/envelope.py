"""What a request's headers say, whichever dialect they are written in.

`read_envelope` never raises: a record whose headers are wrong still needs whatever of them is right, so that its
error reply finds the way. The fault, if any, is in `Envelope.error`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from penstock.schemas import headers as h
from penstock.schemas.errors import ErrorCode, RequestError, without_frames
from penstock.schemas.headers import Header
from penstock.schemas.limits import Limits

MAX_TIMEOUT_S: Final = 24 * 3600.0  # an absurd timeout is clamped: nobody waits longer for a reply
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class Envelope:
    """The headers of one request, decoded. Built by `read_envelope`; never changes afterwards.

    Attributes:
        model, version: whom the request asks for; None leaves it to the service.
        output: the output a raw reply is made of; None is the model's first.
        reply_topic, reply_partition: where to answer; None leaves it to the service.
        timeout_s: seconds from the record's timestamp after which nobody waits; None is for ever.
        tenant, priority: for quotas and order.
        raw: the value is the bytes of one tensor instead of JSON.
        echo: the correlation headers exactly as they came, to be put on the reply.
        error: what is wrong with the headers, or None.
    """

    __slots__ = (
        "echo",
        "error",
        "model",
        "output",
        "priority",
        "raw",
        "reply_partition",
        "reply_topic",
        "tenant",
        "timeout_s",
        "version",
    )

    def __init__(self) -> None:
        self.model: str | None = None
        self.version: str | None = None
        self.output: str | None = None
        self.reply_topic: str | None = None
        self.reply_partition: int | None = None
        self.timeout_s: float | None = None
        self.tenant: str | None = None
        self.priority: int = 0
        self.raw: bool = False
        self.echo: tuple[Header, ...] = ()
        self.error: RequestError | None = None

    @property
    def correlation(self) -> bytes | None:
        """The correlation id, raw, or None."""
        return self.echo[0][1] if self.echo else None

    def __repr__(self) -> str:
        return (
            f"<Envelope model={self.model!r} version={self.version!r} reply={self.reply_topic!r} error={self.error!r}>"
        )


BARE: Final = Envelope()
"""The envelope of a record without headers, shared by all of them."""


def read_envelope(headers: Sequence[Header], limits: Limits) -> Envelope:
    """Read the headers of one request.

    Args:
        headers: as they came, in order.
        limits: bounds on their number and size.
    """
    if not headers:
        return BARE
    envelope = Envelope()
    too_large = _too_large(headers, limits)
    if too_large is not None:
        headers = _address_within(headers, limits)
    seen: set[str] = set()
    for name, value in headers:
        read = _READERS.get(name)
        if read is None:
            continue
        try:
            if name in seen:
                if read is _correlation:
                    envelope.echo = (*envelope.echo, (name, value or b""))
                raise RequestError(ErrorCode.AMBIGUOUS_HEADER, f"header {name} is given twice")
            seen.add(name)
            read(envelope, name, value)
        except RequestError as error:
            if envelope.error is None or error.code is ErrorCode.AMBIGUOUS_HEADER:
                envelope.error = without_frames(error)
    if envelope.error is not None and envelope.error.code is ErrorCode.AMBIGUOUS_HEADER:
        # Which of the two was meant is anybody's guess; the service's default topic gets the error.
        envelope.reply_topic = envelope.reply_partition = None
    envelope.error = too_large or envelope.error
    return envelope


def _too_large(headers: Sequence[Header], limits: Limits) -> RequestError | None:
    if len(headers) > limits.max_headers:
        return RequestError(ErrorCode.TOO_LARGE, f"{len(headers)} headers; at most {limits.max_headers} are read")
    total = sum([len(name) + len(value or b"") for name, value in headers])
    if total > limits.max_header_bytes:
        return RequestError(ErrorCode.TOO_LARGE, f"headers of {total} bytes; at most {limits.max_header_bytes}")
    return None


def _address_within(headers: Sequence[Header], limits: Limits) -> list[Header]:
    """Return correlation and reply address as far as the limits go, so that the error finds its way."""
    kept: list[Header] = []
    room = limits.max_header_bytes
    for name, value in headers:
        size = len(value or b"")
        if name in _ADDRESS and size <= room and len(kept) < limits.max_headers:
            kept.append((name, value))
            room -= size
    return kept


def _text(name: str, value: bytes | None) -> str:
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError:
        raise RequestError(ErrorCode.BAD_ENCODING, f"header {name} is not UTF-8") from None
    if not text:
        raise RequestError(ErrorCode.BAD_VALUE, f"header {name} is empty")
    return text


def _integer(name: str, value: bytes | None) -> int:
    text = _text(name, value)
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        raise RequestError(ErrorCode.BAD_VALUE, f"header {name} is not a whole number")
    number = int(digits.lstrip("0")[:20] or "0")  # of what is absurd the first digits say enough
    return number if digits == text else -number


def _correlation(envelope: Envelope, name: str, value: bytes | None) -> None:
    pair = (name, value or b"")
    if envelope.echo and envelope.echo[0][1] != pair[1]:
        # Both are echoed: whoever looks for either of them finds the error.
        envelope.echo = (*envelope.echo, pair)
        raise RequestError(ErrorCode.AMBIGUOUS_HEADER, "two correlation headers disagree")
    envelope.echo = (*envelope.echo, pair)


def _reply_topic(envelope: Envelope, name: str, value: bytes | None) -> None:
    topic = _text(name, value)
    if envelope.reply_topic not in (None, topic):
        raise RequestError(ErrorCode.AMBIGUOUS_HEADER, "two reply topic headers disagree")
    envelope.reply_topic = topic


def _set_partition(envelope: Envelope, partition: int) -> None:
    if envelope.reply_partition not in (None, partition):
        raise RequestError(ErrorCode.AMBIGUOUS_HEADER, "two reply partition headers disagree")
    envelope.reply_partition = partition


def _reply_partition(envelope: Envelope, name: str, value: bytes | None) -> None:
    _set_partition(envelope, _integer(name, value))


def _spring_partition(envelope: Envelope, name: str, value: bytes | None) -> None:
    if value is None or len(value) != 4:
        raise RequestError(ErrorCode.BAD_VALUE, f"header {name} is not a 4-byte integer")
    _set_partition(envelope, int.from_bytes(value, "big", signed=True))


def _named(attribute: str) -> Callable[[Envelope, str, bytes | None], None]:
    def read(envelope: Envelope, name: str, value: bytes | None) -> None:
        text = _text(name, value)
        if not _NAME.fullmatch(text):
            raise RequestError(ErrorCode.BAD_NAME, f"header {name} holds characters that no name may have")
        setattr(envelope, attribute, text)

    return read


def _tenant(envelope: Envelope, name: str, value: bytes | None) -> None:
    envelope.tenant = _text(name, value)


def _output(envelope: Envelope, name: str, value: bytes | None) -> None:
    envelope.output = _text(name, value)


def _priority(envelope: Envelope, name: str, value: bytes | None) -> None:
    envelope.priority = _integer(name, value)


def _timeout(envelope: Envelope, name: str, value: bytes | None) -> None:
    envelope.timeout_s = min(max(_integer(name, value) / 1000.0, 0.0), MAX_TIMEOUT_S)


def _schema(_: Envelope, name: str, value: bytes | None) -> None:
    if _text(name, value) != h.SCHEMA_VERSION:
        raise RequestError(ErrorCode.UNSUPPORTED, f"header {name}: this service reads version {h.SCHEMA_VERSION}")


def _content_type(envelope: Envelope, name: str, value: bytes | None) -> None:
    kind = _text(name, value).partition(";")[0].strip().lower()
    if kind == h.RAW_TYPE:
        envelope.raw = True
    elif kind != h.JSON_TYPE:
        raise RequestError(ErrorCode.UNSUPPORTED, f"content type {kind!r}: {h.JSON_TYPE} and {h.RAW_TYPE} are read")


def _json_length(_: Envelope, name: str, value: bytes | None) -> None:
    raise RequestError(ErrorCode.UNSUPPORTED, f"header {name}: binary tensors beside JSON are not read")


_READERS: Final[dict[str, Callable[[Envelope, str, bytes | None], None]]] = {
    h.ID: _correlation,
    h.ID_ALIAS: _correlation,
    h.SPRING_CORRELATION: _correlation,
    h.FASTSTREAM_CORRELATION: _correlation,
    h.REPLY_TOPIC: _reply_topic,
    h.SPRING_REPLY_TOPIC: _reply_topic,
    h.FASTSTREAM_REPLY_TO: _reply_topic,
    h.REPLY_PARTITION: _reply_partition,
    h.SPRING_REPLY_PARTITION: _spring_partition,
    h.MODEL: _named("model"),
    h.VERSION: _named("version"),
    h.OUTPUT: _output,
    h.TENANT: _tenant,
    h.PRIORITY: _priority,
    h.TIMEOUT_MS: _timeout,
    h.SCHEMA: _schema,
    h.CONTENT_TYPE: _content_type,
    h.JSON_LENGTH: _json_length,
}

CORRELATIONS: Final = frozenset(name for name, read in _READERS.items() if read is _correlation)
_ADDRESS: Final = frozenset(
    name for name, read in _READERS.items() if read in (_correlation, _reply_topic, _reply_partition, _spring_partition)
)
