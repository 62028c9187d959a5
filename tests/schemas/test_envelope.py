"""Envelopes: every dialect of headers, and what is wrong with some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.schemas import envelope as module
from penstock.schemas.envelope import BARE, MAX_TIMEOUT_S, Envelope, read_envelope
from penstock.schemas.errors import ErrorCode
from penstock.schemas.limits import Limits

LIMITS = Limits()
KNOWN = sorted(module._READERS)


def read(*headers: tuple[str, bytes | None]) -> Envelope:
    return read_envelope(headers, LIMITS)  # type: ignore[arg-type]  # Kafka's headers may be null


def code(*headers: tuple[str, bytes | None]) -> ErrorCode | None:
    error = read(*headers).error
    return None if error is None else error.code


def test_no_headers_share_one_envelope() -> None:
    assert read_envelope((), LIMITS) is BARE
    assert BARE.correlation is None
    assert BARE.error is None


def test_native_headers_are_read() -> None:
    envelope = read(
        ("penstock-id", b"a\r\n\0b"),
        ("penstock-model", b"iris"),
        ("penstock-version", b"2.1"),
        ("penstock-output", b"label"),
        ("penstock-reply-topic", b"replies"),
        ("penstock-reply-partition", b"3"),
        ("penstock-tenant", b"acme"),
        ("penstock-priority", b"-2"),
        ("penstock-timeout-ms", b"1500"),
        ("penstock-schema", b"1"),
        ("content-type", b"Application/JSON; charset=utf-8"),
        ("unknown", b"\xff"),
    )
    assert envelope.error is None
    assert (envelope.model, envelope.version, envelope.output) == ("iris", "2.1", "label")
    assert (envelope.reply_topic, envelope.reply_partition) == ("replies", 3)
    assert (envelope.tenant, envelope.priority, envelope.timeout_s) == ("acme", -2, 1.5)
    assert envelope.echo == (("penstock-id", b"a\r\n\0b"),)
    assert not envelope.raw


def test_spring_headers_are_read() -> None:
    uuid = bytes(range(240, 256))  # raw bytes, no UTF-8
    envelope = read(
        ("kafka_correlationId", uuid), ("kafka_replyTopic", b"r"), ("kafka_replyPartition", (7).to_bytes(4, "big"))
    )
    assert envelope.error is None
    assert envelope.echo == (("kafka_correlationId", uuid),)
    assert envelope.correlation == uuid
    assert (envelope.reply_topic, envelope.reply_partition) == ("r", 7)


def test_faststream_headers_are_read() -> None:
    envelope = read(("correlation_id", b"1"), ("reply_to", b"r"), ("content-type", b"application/json"))
    assert envelope.error is None
    assert (envelope.echo, envelope.reply_topic) == ((("correlation_id", b"1"),), "r")


def test_the_alias_of_the_id_is_echoed_under_its_own_name() -> None:
    assert read(("id", b"1")).echo == (("id", b"1"),)


def test_a_negative_spring_partition_is_kept_for_the_router_to_refuse() -> None:
    assert read(("kafka_replyPartition", b"\xff\xff\xff\xff")).reply_partition == -1


@pytest.mark.parametrize("value", [None, b"", b"1", b"\0\0\0", b"\0\0\0\0\0"])
def test_a_spring_partition_has_four_bytes(value: bytes | None) -> None:
    assert code(("kafka_replyPartition", value)) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("kind", [b"application/octet-stream", b"APPLICATION/OCTET-STREAM ; a=b"])
def test_an_octet_stream_is_raw(kind: bytes) -> None:
    assert read(("content-type", kind)).raw


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", b"text/plain"),
        ("content-type", b"application/cloudevents+json"),
        ("penstock-schema", b"2"),
        ("inference-header-content-length", b"12"),
    ],
)
def test_what_is_not_read_is_unsupported(name: str, value: bytes) -> None:
    assert code((name, value)) is ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("name", ["penstock-id", "kafka_correlationId", "penstock-reply-topic", "reply_to"])
def test_a_header_given_twice_is_ambiguous_even_when_both_agree(name: str) -> None:
    envelope = read((name, b"a"), ("penstock-reply-partition", b"1"), (name, b"a"))
    assert envelope.error is not None
    assert envelope.error.code is ErrorCode.AMBIGUOUS_HEADER
    assert (envelope.reply_topic, envelope.reply_partition) == (None, None)


@pytest.mark.parametrize(
    ("one", "other", "another"),
    [
        (("penstock-reply-topic", b"a"), ("reply_to", b"a"), ("kafka_replyTopic", b"b")),
        (
            ("penstock-reply-partition", b"7"),
            ("kafka_replyPartition", b"\0\0\0\7"),
            ("kafka_replyPartition", b"\0\0\0\6"),
        ),
        (("penstock-id", b"a"), ("correlation_id", b"a"), ("kafka_correlationId", b"b")),
    ],
)
def test_dialects_may_agree_and_are_ambiguous_when_they_do_not(
    one: tuple[str, bytes], other: tuple[str, bytes], another: tuple[str, bytes]
) -> None:
    assert code(one, other) is None
    assert code(one, another) is ErrorCode.AMBIGUOUS_HEADER
    assert code(another, one) is ErrorCode.AMBIGUOUS_HEADER


def test_correlations_that_disagree_are_both_echoed() -> None:
    pairs = (("penstock-id", b"a"), ("kafka_correlationId", b"b"))
    assert read(*pairs).echo == pairs


def test_an_ambiguous_address_is_given_up_whatever_else_is_wrong() -> None:
    wrong = ("penstock-timeout-ms", b"soon")
    address = (("penstock-reply-topic", b"a"), ("kafka_replyTopic", b"b"))
    for headers in ((wrong, *address), (*address, wrong)):
        envelope = read(*headers)
        assert envelope.error is not None
        assert envelope.error.code is ErrorCode.AMBIGUOUS_HEADER
        assert envelope.reply_topic is None


@pytest.mark.parametrize("name", ["penstock-model", "penstock-tenant", "penstock-reply-topic", "content-type"])
def test_text_that_is_not_utf8_is_a_bad_encoding(name: str) -> None:
    assert code((name, b"\xff")) is ErrorCode.BAD_ENCODING


@pytest.mark.parametrize("value", [None, b""])
@pytest.mark.parametrize("name", ["penstock-model", "penstock-tenant", "penstock-priority", "reply_to", "content-type"])
def test_an_empty_or_null_header_is_a_bad_value(name: str, value: bytes | None) -> None:
    assert code((name, value)) is ErrorCode.BAD_VALUE


def test_a_correlation_that_is_there_twice_is_echoed_twice() -> None:
    twice = (("penstock-id", b"1"), ("penstock-id", b"2"))
    assert read(*twice).echo == twice


def test_a_null_correlation_is_echoed_as_empty() -> None:
    assert read(("penstock-id", None)).echo == (("penstock-id", b""),)


@pytest.mark.parametrize("name", ["penstock-model", "penstock-version"])
@pytest.mark.parametrize("value", ["../../x", ".hidden", "a/b", "a b", "ä", "-x", "a" * 129, "a\n"])
def test_a_name_that_no_model_may_have_is_a_bad_name(name: str, value: str) -> None:
    assert code((name, value.encode())) is ErrorCode.BAD_NAME


@pytest.mark.parametrize("value", [b"1.5", b"--1", b"-", b"+1", b" 1", b"1_0", "\u0663".encode(), b"9" * 21 + b"x"])
@pytest.mark.parametrize("name", ["penstock-timeout-ms", "penstock-priority", "penstock-reply-partition"])
def test_what_is_no_whole_number_is_a_bad_value(name: str, value: bytes) -> None:
    assert code((name, value)) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *((b"1", 0.001), (b"0", 0.0), (b"-5", 0.0), (b"86400001", MAX_TIMEOUT_S), (b"9" * 20, MAX_TIMEOUT_S)),
        *((b"9" * 16_000, MAX_TIMEOUT_S), (b"-" + b"9" * 100, 0.0), (b"0" * 100 + b"1", 0.001)),
    ],
)
def test_an_absurd_timeout_is_clamped(value: bytes, seconds: float) -> None:
    assert read(("penstock-timeout-ms", value)).timeout_s == seconds


def test_the_first_fault_is_told_and_the_rest_is_still_read() -> None:
    envelope = read(("penstock-model", b"../x"), ("penstock-priority", b"x"), ("penstock-id", b"1"), ("reply_to", b"r"))
    assert envelope.error is not None
    assert envelope.error.code is ErrorCode.BAD_NAME
    assert (envelope.correlation, envelope.reply_topic, envelope.model) == (b"1", "r", None)


ADDRESS = (("penstock-id", b"1"), ("penstock-reply-topic", b"r"))


@pytest.mark.parametrize(
    "headers",
    [
        (*((f"x-{number}", b"") for number in range(10_000)), *ADDRESS),
        (("x", b"a" * 1_000_000), *ADDRESS),
        (("correlation_id", b"a" * 1_000_000), *ADDRESS),
    ],
    ids=["many headers", "a large header", "a large correlation"],
)
def test_too_large_headers_are_refused_and_the_error_still_finds_its_way(
    headers: tuple[tuple[str, bytes], ...],
) -> None:
    envelope = read(*headers)
    assert envelope.error is not None
    assert envelope.error.code is ErrorCode.TOO_LARGE
    assert (envelope.echo, envelope.reply_topic) == (ADDRESS[:1], "r")


def test_headers_are_taken_to_their_limits() -> None:
    limits = Limits(max_headers=2, max_header_bytes=7)
    assert read_envelope((("id", b"12"), ("x", b"34")), limits).error is None
    assert read_envelope((("id", b"12"), ("x", b"345")), limits).error is not None
    assert read_envelope((("id", b"12"), ("xy", b"34")), limits).error is not None
    assert read_envelope((("id", b"1"), ("x", b""), ("y", b"")), limits).error is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KNOWN) | st.text(max_size=4), st.none() | st.binary(max_size=6) | st.text().map(str.encode)
        ),
        max_size=10,
    )
)
def test_no_headers_make_it_raise_and_every_correlation_is_kept(headers: list[tuple[str, bytes | None]]) -> None:
    envelope = read(*headers)
    names = {name for name, _ in headers if module._READERS.get(name) is module._correlation}
    assert {name for name, _ in envelope.echo} == names
    if envelope.error is not None:
        assert envelope.error.code is not ErrorCode.AMBIGUOUS_HEADER or envelope.reply_topic is None


def test_repr_shows_whom_it_asks_for_and_what_is_wrong() -> None:
    assert repr(read(("penstock-model", b"iris"), ("reply_to", b"r"), ("penstock-schema", b"9"))) == (
        "<Envelope model='iris' version=None reply='r' "
        "error=RequestError(UNSUPPORTED: header penstock-schema: this service reads version 1)>"
    )
