"""Latencies as bars."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.demo.histogram import Bucket, bars, buckets

latencies = st.lists(st.floats(min_value=1e-6, max_value=3600.0), min_size=1, max_size=200)


@given(latencies)
def test_every_value_lies_in_one_of_at_most_ten_buckets_in_a_row(values):
    found = buckets(values)

    assert len(found) <= 10
    assert [bucket.count for bucket in found] == [
        sum(bucket.low_s <= value < bucket.high_s for value in values) for bucket in found
    ]
    assert sum(bucket.count for bucket in found) == len(values)
    assert all(one.high_s == next_one.low_s for one, next_one in pairwise(found))
    assert found[0].count > 0
    assert found[-1].count > 0


@given(latencies, st.integers(min_value=30, max_value=78), st.booleans())
def test_bars_keep_to_the_width_and_what_is_there_is_seen(values, width, plain):
    found = buckets(values)
    lines = bars(found, width, plain=plain)

    assert {len(line) for line in lines} == {width}
    for bucket, line in zip(found, lines, strict=True):
        assert any(mark in line for mark in "█▏▎▍▌▋▊▉#") == (bucket.count > 0)


def test_no_latencies_are_no_bars():
    assert bars(buckets([]), 38) == []


def test_longest_bar_fills_the_room_and_the_others_are_in_proportion():
    lines = bars([Bucket(0.001, 0.002, 100), Bucket(0.002, 0.003, 50), Bucket(0.003, 0.005, 0)], 31)

    assert lines == [
        "1-2 ms " + "█" * 20 + " 100",
        "2-3 ms " + "█" * 10 + " " * 10 + "  50",
        "3-5 ms " + " " * 20 + "   0",
    ]


@pytest.mark.parametrize(
    ("bucket", "label"),
    [
        (Bucket(0.0005, 0.0007, 1), "0.5-0.7 ms"),
        (Bucket(0.1, 0.15, 1), "100-150 ms"),
        (Bucket(0.7, 1.0, 1), "0.7-1 s"),
        (Bucket(20.0, 30.0, 1), "20-30 s"),
    ],
)
def test_bounds_are_told_in_the_unit_that_fits(bucket, label):
    assert bucket.label == label
