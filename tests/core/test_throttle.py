"""The token bucket: over any time no more than burst and rate, and the wait it names is the right one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.throttle import TokenBucket

RATES = st.floats(0.01, 10_000)
STEPS = st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(0, 50)), min_size=1, max_size=40)


def test_a_new_bucket_is_full_and_fills_up_at_its_rate() -> None:
    bucket = TokenBucket(10.0, 5.0, now=100.0)
    assert bucket.available(100.0) == 5
    bucket.take(5, 100.0)
    assert bucket.available(100.0) == 0
    assert bucket.available(100.25) == 2
    assert bucket.available(200.0) == 5, "it never holds more than the burst"


def test_debt_is_paid_before_anything_goes() -> None:
    bucket = TokenBucket(10.0, 5.0, now=0.0)
    bucket.take(25, 0.0)
    assert bucket.next_due(0.0) == pytest.approx(2.1)
    assert bucket.available(2.0) == 0
    assert bucket.available(2.1) == 1


@pytest.mark.parametrize("burst", [0.0, 100.0])
def test_rate_of_zero_lets_nothing_go_ever(burst: float) -> None:
    bucket = TokenBucket(0.0, burst, now=0.0)
    assert bucket.available(1e6) == 0
    assert bucket.next_due(1e6) == math.inf


def test_a_rate_below_one_row_a_second_still_lets_rows_go() -> None:
    bucket = TokenBucket(0.1, 0.1, now=0.0)
    gone = 0
    for tenth in range(1000):
        if bucket.available(tenth / 10):
            bucket.take(1, tenth / 10)
            gone += 1
    assert gone == pytest.approx(10, abs=1)


def test_another_rate_holds_from_now_on_and_what_has_gathered_stays() -> None:
    bucket = TokenBucket(10.0, 10.0, now=0.0)
    bucket.take(10, 0.0)
    bucket.change(100.0, 100.0, now=0.5)
    assert bucket.available(0.5) == 5
    assert bucket.available(0.6) == 15
    bucket.change(1.0, 2.0, now=0.6)
    assert bucket.available(0.6) == 2


@given(RATES, st.floats(0.0, 500.0), STEPS)
def test_what_goes_is_never_more_than_burst_and_rate(rate: float, burst: float, steps: list[tuple[float, int]]) -> None:
    bucket, now, gone = TokenBucket(rate, burst, now=0.0), 0.0, 0
    for passed, wanted in steps:
        now += passed
        taken = min(wanted, bucket.available(now))
        bucket.take(taken, now)
        gone += taken
        assert gone <= max(burst, 0.05 * rate) + rate * now + 1 + 1e-6


@given(RATES, st.floats(0.0, 500.0), st.integers(0, 2000))
def test_what_is_due_is_there_when_it_is_due_and_not_before(rate: float, burst: float, taken: int) -> None:
    bucket = TokenBucket(rate, burst, now=0.0)
    bucket.take(taken, 0.0)
    due = bucket.next_due(0.0)
    assert bucket.available(due * (1 + 1e-6) + 1e-6) >= 1
    if due > 0:
        again = TokenBucket(rate, burst, now=0.0)
        again.take(taken, 0.0)
        assert again.available(due * 0.999 - 1e-3) == 0
