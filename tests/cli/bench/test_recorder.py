"""What is counted of a load, and what is not."""

import math

import pytest

from penstock.cli.bench.flights import Leaving
from penstock.cli.bench.recorder import Recorder

WARM = Leaving(9.9, 9.9)


def recorder(seconds: float = 5) -> Recorder:
    return Recorder(10.0, seconds)


def test_latency_counts_from_when_a_request_was_due():
    made = recorder()
    made.leave(Leaving(10.0, 10.4), 1)
    made.answer([Leaving(10.0, 10.4)], 10.5)
    assert made.latency.max_s == pytest.approx(0.5)
    assert made.service.max_s == pytest.approx(0.1)
    assert made.late.max_s == pytest.approx(0.4)


def test_warm_up_is_not_counted():
    made = recorder()
    made.leave(WARM, 5)
    made.answer([WARM, Leaving(10.0, 10.0)], 10.2)
    made.fail(WARM, "MODEL_FAILED", "", 10.2)
    made.lose([WARM], 20.0)
    made.acknowledge(5, 0.1, 9.95)
    assert (made.sent, made.answered, made.failed, made.acknowledged.count) == (0, 1, 0, 0)


def test_failures_are_errors_by_code_and_lost_requests():
    made = recorder()
    for message in ("first", "second"):
        made.fail(Leaving(10.0, 10.0), "EXPIRED", message, 10.5)
    made.lose([Leaving(10.0, 10.0)] * 2, 11.0)
    made.answer([Leaving(10.0, 10.0)] * 4, 11.0)
    assert (made.errors, made.messages, made.lost) == ({"EXPIRED": 2}, {"EXPIRED": "first"}, 2)
    assert made.failed_share == 0.5


def test_silence_lasts_until_the_next_reply():
    made = recorder()
    made.lose([Leaving(10.0, 10.0)] * 3, 12.0)
    assert made.silent == 3
    made.fail(Leaving(10.0, 10.0), "EXPIRED", "", 13.0)
    assert (made.silent, made.last_reply) == (0, 13.0)


def test_timeline_has_a_window_for_each_second_with_what_happened_in_it():
    made = recorder()
    made.leave(Leaving(10.1, 10.1), 4)
    made.answer([Leaving(10.1, 10.1)] * 3, 10.6)
    made.answer([Leaving(10.1, 10.1)], 12.1)
    first, second, third = made.windows()
    assert [each.at_s for each in (first, second, third)] == [0, 1, 2]
    assert (first.sent, first.answered) == (4, 3)
    assert first.latency.max == pytest.approx(0.5)
    assert (second.sent, second.answered) == (0, 0)
    assert math.isnan(second.latency.p50)
    assert third.answered == 1
    assert third.latency.p50 == pytest.approx(2.0, rel=0.003)


def test_long_load_has_a_bounded_number_of_windows():
    hour = recorder(3600)
    hour.answer([Leaving(10.0, 10.0)], 10.0 + 3600)
    assert len(hour.windows()) <= 601
