"""When requests should leave, whatever happens meanwhile."""

import pytest

from penstock.cli.bench.schedule import Schedule


def every(schedule: Schedule) -> list[tuple[float, int]]:
    taken = []
    while schedule.left:
        taken.append(schedule.take(schedule.due))
    return taken


def test_requests_leave_evenly_and_one_by_one():
    taken = every(Schedule(10, 100.0, 0.5))
    assert [count for _, count in taken] == [1] * 5
    assert [due for due, _ in taken] == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])


def test_request_that_is_not_due_is_not_taken():
    schedule = Schedule(10, 100.0, 1)
    assert schedule.take(99.99)[1] == 0
    assert schedule.take(100.0)[1] == 1
    assert schedule.take(100.05)[1] == 0


def test_due_time_is_kept_by_whoever_is_late():
    schedule = Schedule(10, 100.0, 1)
    assert [schedule.take(107.0) for _ in range(3)] == [
        (100.0, 1),
        (pytest.approx(100.1), 1),
        (pytest.approx(100.2), 1),
    ]


@pytest.mark.parametrize(("rate", "sizes"), [(4000, {4}), (2500, {2, 3}), (1_000_000, {1000})])
def test_above_a_thousand_a_second_they_leave_together_each_millisecond(rate, sizes):
    taken = every(Schedule(rate, 0.0, 0.1))
    assert {count for _, count in taken} == sizes
    assert [due for due, _ in taken] == pytest.approx([number / 1000 for number in range(100)])
    assert sum(count for _, count in taken) == rate // 10


@pytest.mark.parametrize(("rate", "seconds", "count"), [(100, 10, 1000), (0.5, 1, 1), (333.3, 3, 999), (7, 0.1, 1)])
def test_count_is_rate_times_seconds_and_never_none(rate, seconds, count):
    assert Schedule(rate, 0.0, seconds).left == count


def test_nothing_is_taken_when_all_have_left():
    schedule = Schedule(1, 0.0, 1)
    schedule.take(0.0)
    assert schedule.take(50.0)[1] == 0
