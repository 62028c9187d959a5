"""How long a dead worker process stays dead."""

from itertools import pairwise

import pytest

from penstock.consumer.supervisor import next_pause_s


def test_a_child_that_lived_well_comes_back_at_once() -> None:
    assert next_pause_s(0.0, 31.0) == 0.0
    assert next_pause_s(10.0, 3600.0) == 0.0


def test_a_child_that_keeps_dying_waits_longer_each_time_and_not_for_ever() -> None:
    pauses = [0.0]
    for _ in range(12):
        pauses.append(next_pause_s(pauses[-1], 0.1))
    assert pauses[1] < 1
    assert all(one < other or one == other == 10.0 for one, other in pairwise(pauses))
    assert pauses[-1] == 10.0


@pytest.mark.parametrize("lived_s", [0.0, 29.9, 30.0])
def test_a_short_life_is_never_answered_at_once(lived_s: float) -> None:
    assert next_pause_s(0.0, lived_s) > 0
