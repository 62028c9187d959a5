"""Request topics: what waits, what comes and goes, and who serves them."""

from penstock.cli.pages.sample import Sample
from penstock.cli.top.cluster import ClusterState, Place
from penstock.cli.top.lanes import lag_of, lane_lines
from penstock.cli.top.process import Process
from penstock.cli.top.view import LaneLine
from penstock.transport.membership import Member

ONE, TWO, THREE = ("requests", 0), ("requests", 1), ("others", 0)
MEMBERS = (Member("penstock-1", "10.0.0.7", frozenset({ONE, THREE})), Member("penstock-2", "10.0.0.8"))


def state(at: float, ends: dict[Place, int], done: dict[Place, int]) -> ClusterState:
    return ClusterState(at, state="Stable", members=MEMBERS, ends=ends, done=done, committed=True)


def test_lag_is_of_all_partitions_also_of_those_that_nobody_owns():
    now = state(10.0, {ONE: 100, TWO: 50, THREE: 7}, {ONE: 90, TWO: 20, THREE: 7})

    requests, others = lane_lines([], ["requests", "others"], None, now)

    assert requests == LaneLine("requests", partitions=2, owned=1, owners=1, lag=40)
    assert others == LaneLine("others", partitions=1, owned=1, owners=1, lag=0)
    assert lag_of([requests, others]) == 40


def test_rates_are_what_offsets_moved():
    before = state(10.0, {ONE: 100, TWO: 50}, {ONE: 90, TWO: 20})
    now = state(12.0, {ONE: 160, TWO: 60}, {ONE: 110, TWO: 30})

    (line,) = lane_lines([], ["requests"], before, now)

    assert (line.arriving_per_s, line.finished_per_s) == (35, 15)


def test_topic_made_again_has_no_negative_rate():
    (line,) = lane_lines([], ["requests"], state(10.0, {ONE: 100}, {ONE: 90}), state(12.0, {ONE: 4}, {ONE: 0}))

    assert (line.arriving_per_s, line.finished_per_s, line.lag) == (0, 0, 4)


def test_without_kafka_the_workers_speak_of_their_own_partitions():
    processes = [
        Process("http://here:1", Sample("http://here:1", 1.0, lag={ONE: 4, TWO: 5})),
        Process("http://here:2", Sample("http://here:2", 1.0, lag={("requests", 2): 1})),
    ]

    (line,) = lane_lines(processes, ["requests"], None, None)

    assert line == LaneLine("requests", partitions=None, owned=3, owners=2, lag=10)


def test_lag_that_nobody_knows_is_not_zero():
    (line,) = lane_lines([], ["requests"], None, None)

    assert line.lag is None
    assert lag_of([line]) is None


def test_group_without_members_and_commits_is_unknown_here():
    assert ClusterState(1.0, state="Dead", ends={ONE: 3}, done={ONE: 0}).unknown_group
    assert not ClusterState(1.0, state="Empty", ends={ONE: 3}, done={ONE: 2}, committed=True).unknown_group
