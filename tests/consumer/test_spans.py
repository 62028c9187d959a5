"""Spans: headers that say the same are read once, and what differs is kept apart."""

from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.progress import PartitionProgress
from penstock.consumer.spans import Span, SpanReader, steps
from penstock.schemas.envelope import BARE, Envelope, read_envelope
from penstock.schemas.limits import Limits
from penstock.schemas.record import Record

PROGRESS = PartitionProgress(TopicPartition("requests", 5), 0)
OTHER = PartitionProgress(TopicPartition("requests", 6), 0)


def record(offset: int, headers: Any = ()) -> Record:
    made: Record = ConsumerRecord("requests", 5, offset, 0, 0, None, b"", None, -1, 0, headers)
    return made


def spans_of(*headers: Any, reader: SpanReader | None = None) -> list[Span]:
    reader = reader or SpanReader(Limits())
    return reader.read(PROGRESS, [record(at, each) for at, each in enumerate(headers)])


def said(envelope: Envelope) -> list[Any]:
    """What an envelope says, but for the correlation."""
    return [repr(getattr(envelope, name)) for name in Envelope.__slots__ if name != "echo"]


def test_records_without_headers_are_one_bare_span() -> None:
    (span,) = spans_of((), (), ())
    assert span.envelope is BARE
    assert [each.offset for each in span.records] == [0, 1, 2]
    assert span.echoes == []


def test_ids_do_not_divide_records_that_say_the_same() -> None:
    (span,) = spans_of(*([("penstock-id", b"%d" % at), ("penstock-model", b"m")] for at in range(4)))
    assert (span.echo_name, span.echoes) == ("penstock-id", [b"0", b"1", b"2", b"3"])
    assert span.envelope.model == "m"
    assert span.envelope.echo == ()


def test_what_differs_divides_them() -> None:
    model = ("penstock-model", b"m")
    spans = spans_of([model], [model], [], [("id", b"1"), model], [("penstock-id", b"2"), model], [model])
    assert [len(span.records) for span in spans] == [2, 1, 1, 1, 1]
    assert [span.echo_name for span in spans] == ["", "", "id", "penstock-id", ""]


def test_headers_seen_before_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = SpanReader(Limits())
    headers = [("penstock-id", b"1"), ("penstock-model", b"m")]
    (first,) = spans_of(headers, reader=reader)
    monkeypatch.setattr("penstock.consumer.spans.read_envelope", None)
    (again,) = spans_of([("penstock-id", b"2"), ("penstock-model", b"m")], reader=reader)
    assert again.envelope is first.envelope
    assert again.echoes == [b"2"]


def test_headers_from_outside_are_remembered_in_bounded_number() -> None:
    reader = SpanReader(Limits())
    for at in range(3000):
        spans_of([("penstock-tenant", b"%d" % at)], reader=reader)
    assert len(reader._known) <= 1024


NAMES = ["id", "penstock-id", "correlation_id", "kafka_correlationId", "penstock-model", "penstock-timeout-ms", "x"]
VALUES = st.sampled_from([b"", b"1", b"7", b"\xff", b"a" * 40, None])
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=4)


@given(st.lists(HEADERS, max_size=8), st.sampled_from([20, 100, 16_384]))
def test_a_span_says_what_each_record_says_alone(all_headers: Any, most: int) -> None:
    limits = Limits(max_header_bytes=most)
    reader = SpanReader(limits)
    for _ in range(2):  # the second time much is remembered
        spans = spans_of(*all_headers, reader=reader)
        assert [each.offset for span in spans for each in span.records] == list(range(len(all_headers)))
        for span in spans:
            for place, each in enumerate(span.records):
                alone = read_envelope(each.headers, limits)
                echo = ((span.echo_name, span.echoes[place]),) if span.echo_name else span.envelope.echo
                assert said(span.envelope) == said(alone)
                assert echo == alone.echo


def test_a_fetch_is_cut_into_steps() -> None:
    first = Span(PROGRESS, BARE, [record(offset) for offset in range(17)], "id", [b"%d" % at for at in range(17)])
    second = Span(OTHER, BARE, [record(offset) for offset in range(10)], "", [])
    cut = list(steps([first, second], 10))
    assert [sum(len(span.records) for span in step) for step in cut] == [10, 10, 7]
    for whole in (first, second):
        parts = [span for step in cut for span in step if span.progress is whole.progress]
        assert [each for part in parts for each in part.records] == whole.records
        assert [each for part in parts for each in part.echoes] == whole.echoes
    assert list(steps([], 10)) == []
