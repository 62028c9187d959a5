"""Which rates a ramp tries."""

import pytest

from penstock.cli.bench.climb import Climb, Steps


def climbed(steps: Steps, capacity: float) -> tuple[list[float], Climb]:
    """The rates that are tried on a service that holds up to some rate."""
    climb, tried = Climb(steps), []
    while (rate := climb.next()) is not None:
        tried.append(rate)
        climb.took(rate, held=rate <= capacity)
    return tried, climb


def test_rate_is_multiplied_until_it_breaks_and_what_lies_between_is_halved():
    tried, climb = climbed(Steps(100), 1000)
    assert tried == [100, 200, 400, 800, 1600, 1200, 1000, 1100]
    assert (climb.held, climb.broken) == (1000, 1100)


def test_rate_is_raised_by_a_step():
    tried, climb = climbed(Steps(100, step=150, halvings=0), 500)
    assert tried == [100, 250, 400, 550]
    assert (climb.held, climb.broken) == (400, 550)


def test_highest_rate_that_is_wanted_is_the_last():
    tried, climb = climbed(Steps(100, up_to=300), 1e9)
    assert tried == [100, 200, 300]
    assert (climb.held, climb.broken) == (300, None)


def test_rates_below_the_first_are_tried_where_that_does_not_hold():
    tried, climb = climbed(Steps(1000, halvings=2), 300)
    assert tried == [1000, 500, 250]
    assert (climb.held, climb.broken) == (250, 500)


def test_no_rate_may_hold():
    assert climbed(Steps(100, halvings=2), 0)[1].held is None


@pytest.mark.parametrize("capacity", [0, 1, 99, 100, 101, 12_345])
def test_ramp_ends_with_the_capacity_between_what_held_and_what_broke(capacity):
    _, climb = climbed(Steps(100, halvings=10), capacity)
    assert climb.broken is not None
    assert (climb.held or 0) <= capacity < climb.broken


def test_rates_that_are_nearly_the_same_are_not_told_apart():
    tried, _ = climbed(Steps(100, factor=1.04, halvings=10), 100)
    assert tried == [100, 104]
