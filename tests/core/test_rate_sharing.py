"""Sharing a rate: the shares add up, go where the rows are, and follow them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.rate_sharing import DemandMeter, shares

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


def test_a_lone_worker_has_the_whole_rate() -> None:
    assert shares(100.0, {"a": 5.0}, {"a": 8}) == {"a": pytest.approx(100.0)}


def test_nobody_has_nothing() -> None:
    assert shares(100.0, {}, {}) == {}


def test_who_has_not_reported_counts_by_its_partitions() -> None:
    found = shares(100.0, {"a": None, "b": None}, {"a": 6, "b": 2})
    assert found == {"a": pytest.approx(75.0), "b": pytest.approx(25.0)}
    found = shares(100.0, {"a": 1000.0, "b": None}, {"a": 6, "b": 2})
    assert found == {"a": pytest.approx(75.0), "b": pytest.approx(25.0)}


def test_a_worker_with_little_demand_gets_what_it_needs_and_a_little_more() -> None:
    found = shares(100.0, {"a": 10.0, "b": 1000.0}, {})
    assert 10.0 < found["a"] < 15.0
    assert found["b"] == pytest.approx(100.0 - found["a"])


def test_workers_with_much_demand_share_by_it() -> None:
    found = shares(100.0, {"a": 1000.0, "b": 3000.0}, {})
    assert found["b"] > 1.5 * found["a"]
    assert found["a"] > 20.0


def test_an_idle_worker_leaves_nearly_all_to_the_busy_one() -> None:
    found = shares(100.0, {"a": 0.0, "b": 500.0}, {})
    assert found["b"] > 95.0
    assert found["a"] > 0.5, "and has something to begin with"


def test_what_is_asked_of_a_rate_that_suffices_is_given() -> None:
    found = shares(100.0, {"a": 10.0, "b": 20.0}, {})
    assert found["a"] > 10.0
    assert found["b"] > 20.0


@given(
    st.floats(0.0, 1e6),
    st.dictionaries(NAMES, st.one_of(st.none(), st.floats(0.0, 1e6)), min_size=1),
    st.dictionaries(NAMES, st.integers(0, 100)),
)
def test_shares_add_up_to_the_rate(rate: float, demands: dict[str, float | None], partitions: dict[str, int]) -> None:
    found = shares(rate, demands, partitions)
    assert found.keys() == demands.keys() | partitions.keys()
    assert all(share >= 0 for share in found.values())

    assert sum(found.values()) == pytest.approx(rate, rel=1e-6, abs=1e-6)


@given(st.floats(1.0, 1e4), st.lists(st.floats(0.0, 1e4), min_size=2, max_size=6), st.floats(0.0, 1.0))
def test_a_small_change_of_demand_is_a_small_change_of_shares(rate: float, each: list[float], change: float) -> None:
    before = shares(rate, {str(at): demand for at, demand in enumerate(each)}, {})
    after = shares(rate, {str(at): demand * (1 + 1e-4 * change) for at, demand in enumerate(each)}, {})
    assert all(after[name] == pytest.approx(before[name], rel=0.01, abs=0.01 * rate) for name in before)


def test_a_flood_is_seen_within_a_second_and_forgotten_within_three() -> None:
    meter = DemandMeter(0.0)
    for _ in range(3):
        meter.count(0)
    assert meter.read(1.0) == 0.0
    meter.count(1000)
    assert meter.read(2.0) > 900
    assert 100 < meter.read(3.0) < 250
    assert meter.read(5.0) < 50


def test_steady_demand_is_read_as_it_is_however_often_one_reads() -> None:
    meter, now = DemandMeter(0.0), 0.0
    for interval in [0.1, 1.0, 0.01, 2.0] * 10:
        now += interval
        meter.count(round(interval * 500))
        found = meter.read(now)
    assert found == pytest.approx(500, rel=0.01)
    assert meter.read(now) == found, "no time has passed"
