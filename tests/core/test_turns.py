"""Turns: what each takes over time follows its weight, and idle ones save nothing up."""

from collections import Counter

import pytest

from penstock.core.turns import WeightedTurns

WEIGHTS = {"fast": 4, "slow": 1}
BOTH = frozenset(WEIGHTS)


def serve(turns: WeightedTurns, busy: frozenset[str], turns_taken: int, rows: int = 100) -> Counter[str]:
    taken = Counter[str]()
    for _ in range(turns_taken):
        name = next(each for each in turns.order(BOTH, busy) if each in busy)
        turns.took(name, rows, WEIGHTS)
        taken[name] += rows
    return taken


def test_rows_follow_the_weights() -> None:
    taken = serve(WeightedTurns(), BOTH, 500)
    assert taken["fast"] / taken["slow"] == pytest.approx(4.0, rel=0.05)


def test_one_alone_takes_everything() -> None:
    assert serve(WeightedTurns(), frozenset({"slow"}), 10) == {"slow": 1000}


def test_who_was_idle_has_saved_nothing_up() -> None:
    turns = WeightedTurns()
    serve(turns, frozenset({"fast"}), 1000)
    taken = serve(turns, BOTH, 500)
    assert taken["fast"] / taken["slow"] == pytest.approx(4.0, rel=0.1)


def test_who_has_work_but_gives_nothing_for_long_does_not_stop_the_others_afterwards() -> None:
    turns = WeightedTurns()
    for _ in range(1000):
        turns.order(BOTH, BOTH)
        turns.took("fast", 1000, WEIGHTS)  # nothing came of the slow one
    taken = serve(turns, BOTH, 1000)
    assert taken["fast"] > 0.6 * taken.total()


def test_rows_of_a_name_that_is_not_there_count_for_nobody() -> None:
    turns = WeightedTurns()
    turns.took("gone", 100, {})
    assert turns.order(frozenset({"new"}), frozenset()) == ["new"]
