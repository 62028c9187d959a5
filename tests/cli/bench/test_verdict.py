"""Who broke an objective, and when a load is ended before its time."""

from dataclasses import replace

import pytest

from penstock.cli.bench.flights import Flights, Leaving
from penstock.cli.bench.guard import Guard
from penstock.cli.bench.load import Ending, Figures, Load, figures_of
from penstock.cli.bench.objective import parse
from penstock.cli.bench.recorder import Recorder
from penstock.cli.bench.verdict import Cause, behind, judge

LOAD = Load(100, None, 10, 0)
P99 = (parse("p99=100ms"), parse("errors=0.1%"))


def figures(took_s: float, *, late_s: float = 0.0, lost: int = 0, cpu_s: float = 1.0, stopped: str = "") -> Figures:
    """Of a thousand requests in 10 seconds that took so long, of which they left late by so much."""
    recorder = Recorder(0.0, 10)
    leaving = Leaving(1.0, 1.0 + late_s)
    recorder.leave(leaving, 1000)
    recorder.answer([leaving] * (1000 - lost), 1.0 + took_s)
    recorder.lose([leaving] * lost, 2.0)
    return figures_of(LOAD, recorder, Ending(10.0, cpu_s, stopped=stopped))


def test_objectives_that_hold():
    assert judge(figures(0.05), P99).held


def test_service_that_is_slow_breaks_it():
    verdict = judge(figures(0.25), P99)
    assert (verdict.cause, verdict.reason) == (Cause.SERVICE, "p99 250 ms, over 100 ms")


def test_generator_that_is_late_breaks_it_where_the_service_alone_would_have_held():
    verdict = judge(figures(0.25, late_s=0.2), P99)
    assert verdict.cause is Cause.GENERATOR
    assert verdict.reason == "p99 250 ms, over 100 ms; requests had left 200 ms late"


def test_generator_without_processor_time_left_is_to_blame():
    assert judge(figures(0.25, cpu_s=9.9), P99).cause is Cause.GENERATOR


def test_generator_that_is_late_and_harms_nothing_is_no_reason():
    assert judge(figures(0.09, late_s=0.08), P99).held


def test_failures_break_it_whatever_the_latency():
    verdict = judge(figures(0.01, lost=5), P99)
    assert (verdict.cause, verdict.reason) == (Cause.SERVICE, "0.5 % failed, over 0.1 %")


def test_generator_that_could_not_send_so_fast_is_to_blame():
    assert judge(replace(figures(0.01, stopped="it fell behind"), outrun=True), P99).cause is Cause.GENERATOR


def test_load_that_was_ended_early_has_not_held():
    assert judge(figures(0.01, stopped="nobody has answered"), ()).reason == "nobody has answered"


def test_lateness_is_told_where_it_matters():
    assert behind(figures(0.05)) == ""
    assert "late itself, by 30.0 ms at p99" in behind(figures(0.05, late_s=0.03))
    assert "on 0.99 cores" in behind(figures(0.05, cpu_s=9.9))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(0.0, 10)


def test_load_goes_on_where_nothing_is_wrong(recorder):
    assert Guard(1.0, 10, P99).reason(LOAD, recorder, Flights(), 5.0) == ""


def test_load_ends_when_nobody_answers(recorder):
    recorder.lose([Leaving(1.0, 1.0)] * 3, 2.0)
    assert Guard(1.0, 10).reason(LOAD, recorder, Flights(), 2.5) == "nobody has answered for 2.50 s"


def test_load_does_not_end_for_one_lost_request(recorder):
    recorder.lose([Leaving(1.0, 1.0)], 2.0)
    assert Guard(1.0, 10).reason(LOAD, recorder, Flights(), 2.5) == ""


def test_load_ends_when_too_much_is_on_its_way(recorder):
    flights = Flights()
    flights.depart(10, Leaving(1.0, 1.0))
    assert "10 requests are on their way" in Guard(1.0, 10).reason(LOAD, recorder, flights, 1.5)


def test_step_ends_once_more_are_slow_than_may_be(recorder):
    flights, guard = Flights(), Guard(30.0, 10_000, P99)
    recorder.answer([Leaving(1.0, 1.0)] * 6, 2.0)
    flights.depart(4, Leaving(1.5, 1.5))
    assert guard.reason(LOAD, recorder, flights, 2.0) == ""  # ten of a thousand
    flights.depart(1, Leaving(1.6, 1.6))
    assert guard.reason(LOAD, recorder, flights, 2.0) == "p99=100ms cannot be held any more"


def test_step_does_not_end_for_what_is_left_of_the_warm_up():
    flights = Flights()
    flights.depart(100, Leaving(9.9, 9.9))
    assert Guard(30.0, 10_000, P99).reason(LOAD, Recorder(10.0, 10), flights, 10.5) == ""


def test_step_ends_once_more_have_failed_than_may(recorder):
    recorder.lose([Leaving(1.0, 1.0)], 2.0)
    recorder.answer([Leaving(1.9, 1.9)], 2.0)
    recorder.lose([Leaving(1.0, 1.0)], 2.0)
    assert Guard(30.0, 10_000, P99).reason(LOAD, recorder, Flights(), 2.0) == "errors=0.1% cannot be held any more"
