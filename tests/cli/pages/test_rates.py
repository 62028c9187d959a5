"""From two looks at a process to what it did between them."""

import pytest

from penstock.cli.pages.rates import mean, merged, minus, not_exceeded, quantile, work_between
from penstock.cli.pages.sample import Histogram, Sample

INF = float("inf")
OK = ("iris", "ok")


def histogram(*counts: float, bounds: tuple[float, ...] = (1, 2, 4, INF), total: float = 0.0) -> Histogram:
    """A histogram with so many observations up to each bound."""
    return Histogram(bounds, counts, total)


def look(at: float, ok: float, *, client_id: str = "penstock-1", **more: object) -> Sample:
    fields = {"info": {"client_id": client_id}, "requests": {OK: ok}, **more}
    return Sample("http://here:1", at, **fields)  # type: ignore[arg-type]


def test_work_is_what_was_counted_in_between():
    before = look(10.0, 100, gauges={"cpu_s": 5.0}, dead_letters={"UNREADABLE": 1})
    after = look(12.0, 160, gauges={"cpu_s": 6.5}, dead_letters={"UNREADABLE": 4}, queue=histogram(1, 2, 3, 3))

    work = work_between(before, after)

    assert (work.seconds, work.requests, work.dead_letters) == (2.0, {OK: 60}, {"UNREADABLE": 3})
    assert work.cpu_s == 1.5
    assert work.queue.count == 3


def test_process_that_began_anew_has_done_all_it_counts():
    before, after = look(10.0, 100, client_id="penstock-1-1"), look(12.0, 130, client_id="penstock-1-2")

    assert work_between(before, after).requests == {OK: 130}


def test_counter_that_fell_belongs_to_another_process():
    before = look(10.0, 100, gauges={"cpu_s": 50.0}, queue=histogram(9, 9, 9, 9))
    after = look(12.0, 30, gauges={"cpu_s": 0.5}, queue=histogram(9, 10, 10, 10))

    work = work_between(before, after)

    assert work.requests == {OK: 30}
    assert (work.cpu_s, work.queue.count) == (0.5, 10)


def test_counter_that_is_gone_belongs_to_another_process():
    after = Sample("http://here:1", 12.0, info={"client_id": "penstock-1"}, requests={("wine", "ok"): 7})

    assert work_between(look(10.0, 100), after).requests == {("wine", "ok"): 7}


def test_code_that_is_new_counts_from_nothing():
    after = look(12.0, 100, requests={OK: 100, ("iris", "BAD_SHAPE"): 4})

    assert work_between(look(10.0, 100), after).requests == {OK: 0, ("iris", "BAD_SHAPE"): 4}


def test_page_that_does_not_tell_of_its_processor_leaves_it_open():
    assert work_between(look(1.0, 0), look(2.0, 0)).cpu_s is None


def test_observations_of_before_are_taken_away():
    assert minus(histogram(3, 5, 9, 9, total=20), histogram(1, 2, 4, 4, total=8)) == histogram(2, 3, 5, 5, total=12)


@pytest.mark.parametrize("before", [histogram(9, 9, 9, 9), histogram(1, 1, bounds=(1, INF)), Histogram()])
def test_histograms_that_do_not_follow_from_one_another_are_not_subtracted(before):
    after = histogram(3, 5, 9, 9)

    assert minus(after, before) == after


def test_processes_are_merged_and_strange_buckets_left_out():
    strange = histogram(5, 5, bounds=(10, INF))

    whole = merged([Histogram(), histogram(1, 1, 2, 2, total=4), strange, histogram(0, 3, 3, 3, total=6)])

    assert whole == histogram(1, 4, 5, 5, total=10)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, 0.5), (0.5, 1.0), (0.75, 1.5), (1.0, 2.0)], ids=["p25", "p50", "p75", "p100"]
)
def test_quantile_lies_evenly_inside_its_bucket(share, expected):
    assert quantile(histogram(5, 10, 10, 10), share) == pytest.approx(expected)


def test_quantile_beyond_the_last_bound_is_that_bound():
    assert quantile(histogram(0, 0, 0, 10), 0.99) == 4


def test_without_observations_there_is_no_quantile_and_no_mean():
    for empty in (Histogram(), histogram(0, 0, 0, 0)):
        assert (quantile(empty, 0.5), not_exceeded(empty, 0.5), mean(empty)) == (None, None, None)


def test_bound_is_one_that_the_share_does_not_exceed():
    sizes = histogram(50, 98, 100, 100, total=130)

    assert (not_exceeded(sizes, 0.5), not_exceeded(sizes, 0.99), mean(sizes)) == (1, 4, 1.3)


def test_no_bound_holds_what_lies_beyond_the_last():
    assert not_exceeded(histogram(0, 0, 0, 10), 0.99) is None
