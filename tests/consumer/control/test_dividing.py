"""A worker's share of a rate, by reports that leave out what is idle."""

from types import SimpleNamespace

import pytest

from penstock.consumer.control.dividing import Division
from penstock.consumer.control.limit import Limit
from penstock.consumer.control.own_status import worth_telling
from penstock.schemas.control.resources import Scope
from penstock.schemas.control.specs import Throttle
from penstock.schemas.control.status import Demand, WorkerStatus

SCOPE = Scope("tenant", "acme")


def status(worker: str, rows_per_s: float | None = None, *, partitions: int = 4) -> WorkerStatus:
    asked = {} if rows_per_s is None else {str(SCOPE): Demand(rows_per_s=rows_per_s, granted_per_s=0.0)}
    return WorkerStatus(
        worker=worker,
        started=1,
        time=1,
        interval_s=1.0,
        state="running",
        epoch=0,
        digest="",
        partitions=partitions,
        demand=asked,
    )


def share(*others: WorkerStatus, age_s: float) -> float:
    """Of 100 rows a second, for a worker that is asked for 1,000 and has 4 partitions."""
    division = Division(SimpleNamespace(own=4, all=4 + sum(each.partitions for each in others), lag=lambda _: 0))
    limit = Limit(SCOPE, Throttle(rows_per_s=100.0), 0.0)
    division.divide([limit], 0.0)
    limit.demand = 1000.0
    division.learn(others)
    division.divide([limit], age_s)
    return limit.share


def test_who_says_nothing_of_a_throttle_is_asked_nothing() -> None:
    idle = share(status("a"), status("b"), status("c"), age_s=10.0)
    assert idle == share(status("a", 0.0), status("b", 0.0), status("c", 0.0), age_s=10.0)
    assert idle > 95.0


def test_of_a_throttle_that_is_new_others_may_not_have_spoken_yet() -> None:
    assert share(status("a"), status("b"), status("c"), age_s=1.0) == pytest.approx(25.0)
    assert share(status("a", 0.0), status("b", 0.0), status("c", 0.0), age_s=1.0) > 95.0


def test_who_has_partitions_and_does_not_report_at_all_keeps_their_part() -> None:
    division = Division(SimpleNamespace(own=4, all=8, lag=lambda _: 0))
    limit = Limit(SCOPE, Throttle(rows_per_s=100.0), 0.0)
    limit.demand = 1000.0
    division.divide([limit], 100.0)
    division.divide([limit], 200.0)
    assert limit.share == pytest.approx(50.0)


def test_a_throttle_that_was_removed_and_comes_again_is_new() -> None:
    division = Division(SimpleNamespace(own=4, all=8, lag=lambda _: 0))
    division.learn([status("a")])
    found = []
    for limits, now in (([1], 0.0), ([1], 10.0), ([], 20.0), ([1], 30.0)):
        made = [Limit(SCOPE, Throttle(rows_per_s=100.0), now) for _ in limits]
        for limit in made:
            limit.demand = 1000.0
        division.divide(made, now)
        found += [round(limit.share) for limit in made]
    assert found == [50, pytest.approx(98, abs=3), 50]


def test_many_idle_throttles_are_left_out_of_a_report_and_few_are_not() -> None:
    idle = {f"tenant:{number}": Demand(rows_per_s=0.0, granted_per_s=5.0) for number in range(1000)}
    asked = {"tenant:a": Demand(rows_per_s=0.5, granted_per_s=5.0)}
    waiting = {"tenant:b": Demand(rows_per_s=0.0, granted_per_s=5.0, waiting=1)}
    assert worth_telling(idle | asked | waiting) == asked | waiting
    few = dict(list(idle.items())[:3])
    assert worth_telling(few | asked) == few | asked


@pytest.mark.parametrize("own", [0, 4])
def test_what_nobody_names_is_divided_as_what_all_say_is_idle(own: int) -> None:
    division = Division(SimpleNamespace(own=own, all=9, lag=lambda _: 0))
    division.learn([status("a", 0.0, partitions=3), status("b", partitions=0)])
    named, unnamed = (Limit(scope, Throttle(rows_per_s=100.0), 0.0) for scope in (SCOPE, Scope("tenant", "other")))
    named.demand = unnamed.demand = 0.0
    division.divide([named, unnamed], 0.0)
    division.divide([named, unnamed], 100.0)
    assert unnamed.share == pytest.approx(named.share)
