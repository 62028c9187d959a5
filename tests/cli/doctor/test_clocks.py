"""Judging clocks."""

import pytest
from aiokafka.structs import TopicPartition

from penstock.cli.doctor.clocks import Clock, judge_clocks, judge_controller, judge_newest


@pytest.mark.parametrize(
    ("ahead_s", "error_s", "level"),
    [
        (0.0, 0.01, "ok"), (0.9, 0.0, "ok"), (-0.9, 0.0, "ok"), (3.0, 2.5, "ok"),
        (3.0, 0.1, "warning"), (-9.0, 0.1, "warning"), (3600.0, 0.1, "fault"), (-3600.0, 5.0, "fault"),
    ],
)  # fmt: skip
def test_clock_is_judged_by_how_far_it_is_off_at_least(ahead_s: float, error_s: float, level: str):
    (found,) = judge_clocks([Clock("somebody", ahead_s, error_s)])
    assert found.level == level


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [(3600.0, "60 min ahead of"), (-3600.0, "60 min behind"), (4.0, "4.00 s ahead of"), (-10800.0, "3 h behind")],
)
def test_skew_is_said_in_words(ahead_s: float, words: str):
    (found,) = judge_clocks([Clock("the controller", ahead_s, 0.0)])
    assert found.what == f"the clock of the controller is {words} ours"


def test_controller_that_does_not_answer_is_a_warning():
    (found,) = judge_controller(None, controlled=False)
    assert (found.level, found.what) == ("warning", "no controller answers")


def test_clock_that_may_not_be_seen_is_skipped():
    (found,) = judge_controller(None, controlled=True)
    assert found.level == "skipped"


def test_record_from_the_future_is_named_once_for_each_topic():
    newest = {TopicPartition("a", 0): 1_005_000, TopicPartition("a", 1): 1_010_000, TopicPartition("b", 0): 900_000}
    (found,) = judge_newest(newest, now_s=1000.0)
    assert (found.level, found.what) == ("warning", "a/1 holds a record from 10.0 s in the future")
