"""How long a dead worker process stays dead."""

import signal
from itertools import pairwise

import pytest

from penstock.consumer.service import EXIT_AT_ONCE
from penstock.consumer.supervisor import may_be_of_a_request, next_pause_s
from penstock.consumer.suspects.memory_kills import memory_kills


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


@pytest.mark.parametrize(
    ("status", "kills", "may"),
    [
        (-signal.SIGSEGV, (3, 3), True),
        (-signal.SIGABRT, (None, None), True),
        (7, (3, 3), True),
        (1, (3, 3), True),
        (-signal.SIGKILL, (3, 4), True),
        (-signal.SIGKILL, (None, None), True),
        (-signal.SIGKILL, (3, 3), False),
        (-signal.SIGTERM, (3, 4), False),
        (EXIT_AT_ONCE, (3, 3), False),
        (0, (3, 3), False),
    ],
)
def test_a_death_that_somebody_wished_makes_no_request_suspect(
    status: int, kills: tuple[int | None, int | None], may: bool
) -> None:
    assert may_be_of_a_request(status, *kills) == may


@pytest.mark.skipif(memory_kills() is None, reason="this system does not count them")
def test_the_kernels_kills_for_want_of_memory_are_counted() -> None:
    before, after = memory_kills(), memory_kills()
    assert before is not None
    assert after is not None
    assert 0 <= before <= after
