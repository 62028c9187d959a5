"""What a service is to hold: how it is written, and when it holds."""

import pytest

from penstock.cli.bench.histogram import Histogram
from penstock.cli.bench.objective import parse, with_defaults


@pytest.mark.parametrize(
    ("text", "share", "limit"),
    [("p99=50ms", 99, 0.05), ("p99.9=1s", 99.9, 1.0), ("p50=800us", 50, 0.0008), ("max = 2.5s", 100, 2.5)],
)
def test_latency_is_a_percentile_and_a_time(text, share, limit):
    made = parse(text)
    assert (made.kind, made.share) == ("latency", share)
    assert made.limit == pytest.approx(limit)


def test_errors_are_a_share():
    made = parse("errors=1.5%")
    assert (made.kind, made.limit) == ("errors", 0.015)


@pytest.mark.parametrize(
    "text", ["", "p99", "p99=50", "p99=5%", "errors=5ms", "p0=5ms", "p100=5ms", "p99=0ms", "9=5ms"]
)
def test_what_is_none_is_told_with_what_one_looks_like(text):
    with pytest.raises(ValueError, match=r"p99=50ms|no answer takes no time"):
        parse(text)


def test_percentile_holds_up_to_its_limit():
    latency = Histogram()
    latency.add([0.01] * 99 + [5.0])
    assert parse("p99=11ms").holds(latency, 0)
    assert not parse("p99.9=11ms").holds(latency, 0)
    assert parse("p99.9=11ms").broken(latency, 0) == "p99.9 5.00 s, over 11.0 ms"


def test_latency_of_no_answer_does_not_hold():
    assert not parse("p99=1s").holds(Histogram(), 0)


def test_failures_hold_up_to_their_share():
    assert parse("errors=1%").holds(Histogram(), 0.01)
    assert parse("errors=1%").broken(Histogram(), 0.02) == "2.0 % failed, over 1.0 %"


@pytest.mark.parametrize(("text", "allowed"), [("p99=1ms", 10), ("p99.9=1ms", 1), ("max=1s", 0), ("errors=0.1%", 1)])
def test_so_many_of_a_thousand_may_break_it(text, allowed):
    assert parse(text).allowed(1000) == allowed


def test_ramp_has_an_objective_on_latency_and_one_on_failures():
    assert [each.text for each in with_defaults([], ramp=True)] == ["p99=100ms", "errors=0.1%"]
    assert [each.text for each in with_defaults([parse("errors=5%")], ramp=True)] == ["errors=5%", "p99=100ms"]


def test_load_without_an_objective_has_none_and_with_one_counts_failures_too():
    assert with_defaults([], ramp=False) == ()
    assert [each.text for each in with_defaults([parse("p50=1s")], ramp=False)] == ["p50=1s", "errors=0.1%"]
