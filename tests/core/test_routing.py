"""Routing: sticky, in proportion, and moving no more than it has to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.routing import Split, all_to

KEYS = [b"key-%d" % number for number in range(20_000)]


def chosen(split: Split, keys: list[bytes] = KEYS) -> list[str]:
    return [split.versions[place] for place in split.choose(keys)]


@pytest.mark.parametrize("weights", [(90.0, 10.0), (1.0, 1.0, 1.0), (50.0, 49.0, 1.0), (0.7, 0.0, 0.3)])
def test_shares_follow_the_weights(weights: tuple[float, ...]) -> None:
    split = Split(tuple("12345"[: len(weights)]), weights, "salt")
    found = chosen(split)
    for version, weight in zip(split.versions, weights, strict=True):
        share = weight / sum(weights)
        assert split.share(version) == pytest.approx(share)
        sigma = (len(KEYS) * share * (1 - share)) ** 0.5
        assert abs(found.count(version) - len(KEYS) * share) <= 4 * sigma


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.text(max_size=8))
def test_a_key_gets_the_same_version_whoever_asks_and_in_whatever_company(keys: list[bytes], salt: str) -> None:
    split, again = Split(("1", "2", "3"), (1.0, 2.0, 3.0), salt), Split(("3", "1", "2"), (6.0, 2.0, 4.0), salt)
    assert chosen(split, keys) == [chosen(split, [key])[0] for key in keys]
    assert chosen(split, keys) == chosen(again, keys), "neither their order counts nor the sum of the weights"


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (Split(("3", "4"), (99.0, 1.0)), Split(("3", "4"), (90.0, 10.0)), ("3", "4")),
        (Split(("3", "4"), (50.0, 50.0)), Split(("3",), (1.0,)), ("4", "3")),
        (Split(("2", "3", "4"), (1.0, 1.0, 1.0)), Split(("2", "3", "4"), (1.0, 1.0, 2.0)), (None, "4")),
    ],
)
def test_a_change_of_weights_moves_only_whom_it_is_about(
    before: Split, after: Split, moves: tuple[str | None, str]
) -> None:
    changes = {(old, new) for old, new in zip(chosen(before), chosen(after), strict=True) if old != new}
    assert changes
    assert all(new == moves[1] and moves[0] in (None, old) for old, new in changes)
    share = before.share(moves[1]) - after.share(moves[1])
    moved = np.mean([old != new for old, new in zip(chosen(before), chosen(after), strict=True)])
    assert moved == pytest.approx(abs(share), abs=0.01), "and no more of them than it takes"


def test_another_salt_draws_anew() -> None:
    one, other = chosen(Split(("1", "2"), (1.0, 1.0), "a")), chosen(Split(("1", "2"), (1.0, 1.0), "b"))
    assert np.mean([first == second for first, second in zip(one, other, strict=True)]) == pytest.approx(0.5, abs=0.02)


def test_one_version_with_weight_is_alone() -> None:
    assert all_to("7").sole == "7"
    assert Split(("1", "2"), (0.0, 3.0)).sole == "2"
    assert Split(("1", "2"), (0.1, 3.0)).sole is None
    assert Split(("1", "2"), (0.0, 3.0)).share("9") == 0.0
