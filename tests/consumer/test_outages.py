"""How long a model that cannot answer is waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.outages import Outages


def test_pauses_grow_to_a_bound() -> None:
    outages, now = Outages(3600.0), 100.0
    pauses = []
    for _ in range(9):
        pause_s = outages.pause_s("m", now)
        assert pause_s is not None
        pauses.append(pause_s)
        now += pause_s
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


@given(st.floats(0.0, 100.0), st.floats(0.0, 10.0))
def test_the_last_attempt_is_at_the_end_of_the_budget(budget_s: float, run_s: float) -> None:
    outages, now = Outages(budget_s), 0.0
    while (pause_s := outages.pause_s("m", now)) is not None:
        assert now + pause_s <= budget_s
        now += pause_s + run_s
    assert now >= budget_s
    assert outages.pause_s("m", now) is None, "those that follow are not tried again"


def test_one_answer_ends_an_outage_of_that_model_alone() -> None:
    outages = Outages(1.0)
    assert outages.pause_s("m", 0.0) == outages.pause_s("n", 0.0) == 0.1
    outages.over("m")
    outages.over("m")
    assert outages.pause_s("m", 2.0) == 0.1
    assert outages.pause_s("n", 2.0) is None
