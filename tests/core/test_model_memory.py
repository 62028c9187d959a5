"""Which versions leave memory, so that another one fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.model_memory import Held, NoRoomNow, make_room
from penstock.schemas.errors import ModelError


def held(version: str, used: float, *, size: int = 10, runs: bool = False) -> Held:
    return Held("m", version, size, used, runs)


def leaving(needed: int, there: list[Held], cap: int | None) -> list[str]:
    return [each.version for each in make_room("m@new", needed, there, cap)]


def test_without_a_cap_nothing_leaves() -> None:
    assert leaving(10**12, [held("1", 0.0)], None) == []


def test_what_was_used_least_recently_leaves_first_and_no_more_than_has_to() -> None:
    there = [held("3", 3.0), held("1", 1.0), held("2", 2.0)]
    assert leaving(10, there, 40) == []
    assert leaving(10, there, 30) == ["1"]
    assert leaving(15, there, 30) == ["1", "2"]


def test_what_runs_stays_and_the_newcomer_waits() -> None:
    there = [held("1", 1.0, runs=True), held("2", 2.0)]
    assert leaving(10, there, 20) == ["2"]
    with pytest.raises(ModelError, match="m@new has 15 bytes and does not fit beside the versions that run"):
        leaving(15, there, 20)


def test_a_shadow_leaves_before_what_answers_unless_it_has_to_stay() -> None:
    there = [held("1", 1.0), Held("m", "2", 10, 2.0, False, shadow=True)]
    assert [(each.version, each.shadow) for each in make_room("m@new", 10, there, 20)] == [("2", True)]
    staying = [there[0], Held("m", "2", 10, 2.0, True, shadow=True)]
    assert leaving(10, staying, 20) == ["1"]


def test_it_is_known_whether_room_may_come() -> None:
    with pytest.raises(NoRoomNow):
        leaving(15, [held("1", 1.0, runs=True)], 20)
    with pytest.raises(ModelError) as error:
        leaving(15, [], 10)
    assert not isinstance(error.value, NoRoomNow)


def test_one_that_is_larger_than_the_cap_never_fits() -> None:
    with pytest.raises(ModelError, match=r"m@new has 2,000 bytes, and models\.max_bytes is 1,000"):
        leaving(2000, [], 1000)


_held = st.builds(
    Held,
    model=st.just("m"),
    version=st.uuids().map(str),
    bytes=st.integers(0, 100),
    used=st.floats(0, 100),
    runs=st.booleans(),
)


@given(st.integers(0, 150), st.lists(_held, max_size=8), st.integers(1, 300))
def test_afterwards_it_fits_nothing_that_runs_has_left_and_whoever_stays_is_younger(
    needed: int, there: list[Held], cap: int
) -> None:
    running = sum(each.bytes for each in there if each.runs)
    try:
        gone = make_room("m@new", needed, there, cap)
    except ModelError:
        assert needed > cap or running + needed > cap
        return
    stay = [each for each in there if each not in gone]
    assert not any(each.runs for each in gone)
    assert not gone or sum(each.bytes for each in stay) + needed <= cap
    assert all(out.used <= still.used for out in gone for still in stay if not still.runs and still.bytes)
