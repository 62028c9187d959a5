"""Bad headers: rows 11 to 23, 39 and 43. `{replies}`, `{requests}` and `{group}` stand for names of the lane."""

from collections.abc import Sequence

from tests.bad_input.rows import RAW, Answer, Dead, Error, Request, Row, to

HOUR_S = 3600.0


def with_headers(*headers: tuple[str, bytes | None], sent_s_ago: float = 0.0) -> Request:
    """The good request with headers."""
    return Request(headers=headers, sent_s_ago=sent_s_ago)


def reply_to(topic: bytes, *more: tuple[str, bytes]) -> Request:
    """The good request, to be answered on a topic."""
    return with_headers(("penstock-reply-topic", topic), ("penstock-id", b"id"), *more)


def many(count: int) -> Sequence[tuple[str, bytes]]:
    """So many headers that mean nothing."""
    return [(f"h-{number}", b"") for number in range(count)]


MEGABYTE = b"a" * 1_000_000
OTHER = ("penstock-reply-topic", b"{replies}-other")

SIZES = [
    Row(11, "10,000 headers", with_headers(("id", b"1"), OTHER, *many(10_000)), Error("TOO_LARGE", other=True)),
    Row(11, "a header of 1 MB", with_headers(("id", b"1"), OTHER, ("trace", MEGABYTE)), Error("TOO_LARGE", other=True)),
    Row(11, "a header whose name has 1 MB", with_headers(("id", b"1"), (MEGABYTE.decode(), b"")), Error("TOO_LARGE")),
    Row(11, "a model's name of 1 MB", with_headers(("penstock-model", MEGABYTE)), Error("TOO_LARGE")),
]

TWICE = [
    Row(12, "two reply topics", with_headers(OTHER, ("penstock-reply-topic", b"{replies}")), Error("AMBIGUOUS_HEADER")),
    Row(12, "one reply topic twice", with_headers(OTHER, OTHER), Error("AMBIGUOUS_HEADER")),
    Row(12, "two dialects disagree", with_headers(OTHER, ("reply_to", b"{replies}")), Error("AMBIGUOUS_HEADER")),
    Row(
        12, "two correlation ids", with_headers(("penstock-id", b"1"), ("penstock-id", b"2")), Error("AMBIGUOUS_HEADER")
    ),
    Row(12, "ids of two dialects", with_headers(("id", b"1"), ("correlation_id", b"2")), Error("AMBIGUOUS_HEADER")),
    Row(12, "a model twice", with_headers(*to("doubler"), *to("scaler")), Error("AMBIGUOUS_HEADER")),
]

IDS = [
    Row(13, "CR, LF and NUL in the id", with_headers(("penstock-id", b"a\r\nb\0c")), Answer()),
    Row(13, "the same in an error's id", Request(b"", [("penstock-id", b"a\r\nb\0c\x1b[2J")]), Error("BAD_REQUEST")),
    Row(14, "no correlation id", with_headers(("penstock-tenant", b"acme")), Answer()),
    Row(14, "an id that is null", with_headers(("penstock-id", None)), Answer()),
    Row(15, "no reply topic", with_headers(("penstock-id", b"1")), Answer()),
    Row(43, "bidi in the id", with_headers(("id", "\u202egnp.x\u2066".encode())), Answer()),
    Row(43, "emoji in the id", with_headers(("kafka_correlationId", "👩‍🚀".encode())), Answer()),
    Row(43, "quotes in the id", with_headers(("correlation_id", b'"\'`\\"')), Answer()),
    Row(43, "an id that is no UTF-8", with_headers(("penstock-id", bytes(range(256)))), Answer()),
]

PLACES = [
    Row(16, "a reply topic that is not allowed", reply_to(b"{group}-private"), Dead("REPLY_FORBIDDEN")),
    Row(18, "a name that no topic can have", reply_to(b"{replies}-other/../x"), Dead("REPLY_UNKNOWN")),
    Row(17, "its own topic", reply_to(b"{requests}"), Dead("REPLY_FORBIDDEN")),
    Row(17, "the dead-letter topic", reply_to(b"{requests}-dlt"), Dead("REPLY_FORBIDDEN")),
    Row(17, "the control topic", reply_to(b"{group}-control"), Dead("REPLY_FORBIDDEN")),
    Row(17, "the status topic", reply_to(b"{group}-status"), Dead("REPLY_FORBIDDEN")),
    Row(18, "a reply topic that does not exist", reply_to(b"{replies}-absent"), Dead("REPLY_UNKNOWN")),
    Row(
        19, "reply partition -1", reply_to(b"{replies}-other", ("penstock-reply-partition", b"-1")), Error("BAD_VALUE")
    ),
    Row(19, "reply partition 2^31", with_headers(("penstock-reply-partition", b"2147483648")), Error("BAD_VALUE")),
    Row(19, "reply partition 10^40", with_headers(("penstock-reply-partition", b"1" + b"0" * 40)), Error("BAD_VALUE")),
    Row(19, "past the last partition", with_headers(("penstock-reply-partition", b"8")), Error("BAD_VALUE")),
    Row(19, "Spring's partition -1", with_headers(("kafka_replyPartition", b"\xff" * 4)), Error("BAD_VALUE")),
    Row(19, "Spring's partition in 5 bytes", with_headers(("kafka_replyPartition", bytes(5))), Error("BAD_VALUE")),
]

NAMES = [
    Row(20, "an unknown content type", with_headers(("content-type", b"text/csv")), Error("UNSUPPORTED")),
    Row(20, "an unknown schema version", with_headers(("penstock-schema", b"2")), Error("UNSUPPORTED")),
    Row(20, "Triton's binary tensors", with_headers(("inference-header-content-length", b"9")), Error("UNSUPPORTED")),
    Row(20, "raw bytes for two inputs", Request(bytes(12), to("joiner", RAW)), Error("UNSUPPORTED")),
    Row(21, "an unknown model", with_headers(*to("tripler")), Error("UNKNOWN_MODEL")),
    Row(22, "a path for a model", with_headers(*to("../../x")), Error("BAD_NAME")),
    Row(22, "a model with its version", with_headers(*to("doubler@1")), Error("BAD_NAME")),
    Row(22, "a path for a version", with_headers(*to("doubler", ("penstock-version", b"../1"))), Error("BAD_NAME")),
    Row(22, "a name that is no UTF-8", with_headers(("penstock-model", b"\xff")), Error("BAD_ENCODING")),
    Row(23, "a version that is gone", with_headers(*to("doubler", ("penstock-version", b"7"))), Error("VERSION_GONE")),
]


def within(timeout_ms: bytes, sent_s_ago: float = 0.0) -> Request:
    """The good request with a deadline."""
    return with_headers(("penstock-timeout-ms", timeout_ms), sent_s_ago=sent_s_ago)


DEADLINES = [
    Row(39, "a deadline of now", within(b"0"), Error("EXPIRED")),
    Row(39, "a deadline that is over", within(b"1000", HOUR_S), Error("EXPIRED")),
    Row(39, "a deadline before it was sent", within(b"-1000"), Error("EXPIRED")),
    Row(39, "a deadline in 30 million years", within(b"1" + b"0" * 18), Answer()),
    Row(39, "a deadline of 100 digits", within(b"9" * 100), Answer()),
    Row(39, "an absurd one before it was sent", within(b"-" + b"9" * 100), Error("EXPIRED")),
    Row(39, "one longer than a day counts as a day", within(b"9" * 100, 25 * HOUR_S), Error("EXPIRED")),
    Row(39, "a deadline that is no number", within(b"soon"), Error("BAD_VALUE")),
]

ROWS = [*SIZES, *TWICE, *IDS, *PLACES, *NAMES, *DEADLINES]
