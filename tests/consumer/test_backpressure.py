"""Back-pressure: held above either bound, until both are well below."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.backpressure import Bounds, Valve

BOUNDS = Bounds(max_bytes=100, max_rows=10)


@pytest.mark.parametrize(("rows", "size", "held"), [(10, 100, False), (11, 0, True), (0, 101, True), (11, 101, True)])
def test_fetching_is_held_above_either_bound(rows: int, size: int, held: bool) -> None:
    valve = Valve(BOUNDS)
    valve.take_in(rows, size)
    assert valve.held is held


def test_it_goes_on_only_when_both_are_below_the_fraction() -> None:
    valve = Valve(BOUNDS)
    # In the end it is back where it was held, but comes from below. The third change lowers the rows alone.
    held = []
    for rows, size in ((11, 101), (-1, -40), (-5, 0), (0, -11), (5, 50)):
        valve.take_in(rows, size)
        held.append(valve.held)
    assert held == [True, True, True, False, False]


def test_a_fraction_of_one_makes_both_bounds_the_same() -> None:
    valve = Valve(Bounds(max_bytes=100, max_rows=10, resume_fraction=1.0))
    valve.take_in(11, 0)
    valve.let_out(1, 0)
    assert not valve.held


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=30))
def test_it_never_stays_held_when_everything_is_out(taken: list[tuple[int, int]]) -> None:
    valve = Valve(BOUNDS)
    for rows, size in taken:
        valve.take_in(rows, size)
    assert valve.held == (sum(rows for rows, _ in taken) > 10 or sum(size for _, size in taken) > 100)
    for rows, size in taken:
        valve.let_out(rows, size)
    assert (valve.rows, valve.bytes, valve.held) == (0, 0, False)


def test_repr_shows_whether_it_holds() -> None:
    valve = Valve(BOUNDS)
    assert repr(valve) == "<Valve open 0 bytes, 0 rows>"
    valve.take_in(11, 7)
    assert repr(valve) == "<Valve held 7 bytes, 11 rows>"
