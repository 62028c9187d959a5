"""Percentiles out of buckets, beside those of the times themselves."""

import math

import numpy as np
import pytest

from penstock.cli.bench.histogram import Histogram


def histogram_of(*times_s: float) -> Histogram:
    made = Histogram()
    made.add(times_s)
    return made


@pytest.mark.parametrize("share", [1, 50, 90, 99, 99.9])
def test_percentile_is_that_of_the_times_to_a_quarter_of_a_per_cent(share):
    times = np.sort(np.random.default_rng(3).lognormal(-5, 1, 20_000))
    made = histogram_of(*times)
    assert made.percentile_s(share) == pytest.approx(times[round(share * 200) - 1], rel=0.0026)


def test_maximum_is_exact():
    made = histogram_of(0.001234, 0.5, 7.654321)
    assert (made.percentile_s(100), made.percentile_s(99.9), made.max_s) == (7.654321, 7.654321, 7.654321)


def test_percentile_of_a_thousand_leaves_out_the_slowest_of_them():
    made = histogram_of(*([0.001] * 999), 1.0)
    assert made.percentile_s(99.9) == pytest.approx(0.001, rel=0.003)
    assert made.max_s == 1.0


def test_nothing_counted_has_no_percentiles():
    spread = Histogram().spread()
    assert all(map(math.isnan, spread))
    assert math.isnan(Histogram().mean_s)


def test_one_time_counted_often_is_that_time_counted_singly():
    often, singly = Histogram(), histogram_of(*([0.25] * 40))
    often.add_same(0.25, 40)
    often.add_same(0.25, 0)
    assert (often.count, often.spread(), often.mean_s) == (40, singly.spread(), singly.mean_s)


def test_clock_that_went_back_counts_as_no_time():
    made = histogram_of(-0.5, 0.0)
    assert (made.count, made.max_s) == (2, 0.0)


def test_time_beyond_all_buckets_is_kept_as_the_maximum():
    assert histogram_of(1e9).max_s == 1e9


def test_only_what_is_surely_over_a_limit_counts_as_over_it():
    made = histogram_of(0.049, 0.05, 0.05, 0.06, 2.0)
    assert made.count_over(0.05) == 2


def test_filled_buckets_hold_every_time():
    times, counts = histogram_of(0.001, 0.001, 0.4).filled()
    assert counts.tolist() == [2, 1]
    assert times == pytest.approx([0.001, 0.4], rel=0.003)
