"""Marks: which dead letters have been sent again."""

from itertools import pairwise

import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from penstock.schemas.dead_letters.mark import mark, read_mark
from penstock.schemas.headers import Header

OFFSETS = st.sets(st.integers(0, 300), min_size=1)


def on_topic(value: bytes | None, headers: list[Header], offset: int = 1000) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("requests-dlt", 0, offset, 0, 0, None, value, None, -1, -1, tuple(headers))


@given(OFFSETS)
def test_a_mark_names_what_was_sent_and_nothing_else(offsets: set[int]) -> None:
    runs = read_mark(on_topic(*mark(offsets, "anna@laptop")))
    assert runs is not None
    assert {offset for run in runs for offset in range(*run)} == offsets
    assert sum(stop - start for start, stop in runs) == len(offsets)
    assert all(stop < start for (_, stop), (start, _) in pairwise(runs))


def test_form_is_the_one_that_is_documented() -> None:
    value, headers = mark([20, 12, 13, 14], "anna@laptop")
    assert value == b'{"redriven":[[12,15],[20,21]],"by":"anna@laptop"}'
    assert headers == [("penstock-redriven", b"1")]


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b"{}", b'{"redriven": 1}', b'{"redriven": [1]}', b'{"redriven": [["a", "b"]]}'],
)
def test_a_mark_that_nobody_can_read_is_none(value: bytes | None) -> None:
    assert read_mark(on_topic(value, [("penstock-redriven", b"1")])) is None


def test_a_request_whose_value_looks_like_a_mark_is_none() -> None:
    value, _ = mark([1], "anna")
    assert read_mark(on_topic(value, [])) is None
    assert read_mark(on_topic(value, [("penstock-redriven", b"2")])) is None
    assert read_mark(on_topic(value, [("penstock-redriven", b"1"), ("a", b"b")])) is None


def test_a_mark_speaks_of_what_lies_before_it_alone() -> None:
    value, headers = mark([3, 5], "anna")
    assert read_mark(on_topic(value, headers, offset=5)) == [(3, 4)]
