"""From looks to the figures of the page."""

from typing import Any

import pytest

from penstock.cli.pages.sample import Sample, Silence
from penstock.cli.top.cluster import ClusterState
from penstock.cli.top.summary import Moment, lag_trend
from penstock.cli.top.view import CodeLine, View, as_document
from penstock.cli.top.watch import Watch
from penstock.transport.membership import Member

HERE, THERE = "http://here:8090", "http://here:8091"
WALL = 1_800_000_000.0


def watch(window_s: float = 5.0) -> Watch:
    return Watch(window_s=window_s, group="?", topics=("requests",), kafka="localhost:9092")


def look(url: str, at: float, *, ok: float = 0, bad: float = 0, **more: Any) -> Sample:
    number = url[-1]
    return Sample(
        url=url,
        at=at,
        info={
            "client_id": f"penstock-{number}", "pid": number, "group": "predictions", "version": "1.0",
            "request_topics": "requests", "processes": "2", "bootstrap_servers": "localhost:9092",
        },
        requests={("iris", "ok"): ok, ("iris", "BAD_SHAPE"): bad},
        loaded={"iris": ("1", "2")},
        serving={"iris": "2"},
        **{"gauges": {"started": WALL - 60, "partitions": 4, "cpu_s": at / 2, "epoch": 1}, **more},
    )  # fmt: skip


def kafka(at: float, end: int = 100, done: int = 90, **more: Any) -> ClusterState:
    members = tuple(Member(f"penstock-{n}", "10.0.0.7", frozenset({("requests", n)})) for n in (0, 1))
    places = [("requests", n) for n in (0, 1)]
    state = {"state": "Stable", "members": members, "committed": True, **more}
    return ClusterState(at, ends=dict.fromkeys(places, end), done=dict.fromkeys(places, done), **state)


def two_looks(seen: Watch) -> View:
    for at, ok, bad in ((10.0, 100, 0), (12.0, 160, 20)):
        seen.saw(look(HERE, at, ok=ok, bad=bad))
        seen.saw(look(THERE, at, ok=ok))
    return seen.view(12.0, WALL)


def test_page_adds_up_its_workers():
    view = two_looks(watch())

    assert (view.group, view.ready, view.uptime_s) == ("predictions", 2, 60)
    assert (view.totals.answered, view.totals.errors) == (340, 20)
    assert (view.totals.answered_per_s, view.totals.errors_per_s) == (70, 10)
    assert view.totals.error_share == pytest.approx(1 / 7)
    assert view.errors == (CodeLine("BAD_SHAPE", 20, 10),)
    (model,) = view.models
    assert (model.name, model.serving, model.versions, model.answered) == ("iris", ("2",), ("1", "2"), 340)
    here, there = view.workers
    assert (here.pid, here.state, here.answered_per_s, here.cpu, here.partitions) == (0, "ready", 40, 0.5, 4)
    assert there.answered_per_s == 30


def test_rates_are_taken_over_the_window_and_not_longer():
    seen = watch(window_s=2.0)
    for at, ok in ((0.0, 0), (1.0, 1000), (2.0, 1000), (3.0, 1010), (4.0, 1020)):
        seen.saw(look(HERE, at, ok=ok))

    assert seen.view(4.0, WALL).totals.answered_per_s == 10


def test_one_look_gives_counts_and_no_rates():
    seen = watch()
    seen.saw(look(HERE, 1.0, ok=5))

    totals = seen.view(1.0, WALL).totals

    assert (totals.answered, totals.answered_per_s, totals.error_share) == (5, None, None)


def test_worker_that_vanishes_is_gone_since_it_was_last_seen_and_counts_no_more():
    seen = watch()
    two_looks(seen)
    seen.saw(Silence(THERE, 15.0, "nobody listens there", gone=True))

    view = seen.view(20.0, WALL)

    assert (view.ready, view.totals.answered_per_s) == (1, 40)
    gone = view.workers[1]
    assert (gone.state, gone.since_s, gone.pid, gone.answered_per_s) == ("gone", 8.0, 1, None)
    assert "here:8091 is gone for 8 s: nobody listens there." in view.notes


def test_worker_that_comes_back_counts_again():
    seen = watch()
    two_looks(seen)
    seen.saw(Silence(THERE, 13.0, "no answer within 2 s"))
    assert seen.view(13.0, WALL).workers[1].state == "silent"
    seen.saw(look(THERE, 14.0, ok=200))

    assert seen.view(14.0, WALL).workers[1].answered_per_s == 25


def test_lag_comes_from_kafka_and_tells_when_it_will_be_gone():
    seen = watch()
    for at, end, done in ((10.0, 1000, 100), (12.0, 1000, 500)):
        seen.saw(look(HERE, at))
        seen.heard(kafka(at, end, done))
        view = seen.view(at, WALL)

    assert (view.totals.lag, view.totals.lag_per_s, view.totals.clears_s) == (1000, -400, 2.5)
    assert (view.totals.arriving_per_s, view.lanes[0].finished_per_s) == (0, 400)
    assert (view.lanes[0].partitions, view.lanes[0].owned, view.lanes[0].owners) == (2, 2, 2)


def test_without_kafka_the_page_goes_on_with_the_workers_word():
    seen = watch()
    seen.heard(kafka(10.0))
    seen.heard(ClusterState(11.0, problem="no broker answers"))
    seen.saw(look(HERE, 11.0, lag={("requests", 0): 7}))

    view = seen.view(11.0, WALL)

    assert (view.kafka_problem, view.totals.lag, view.totals.arriving_per_s) == ("no broker answers", 7, None)
    assert view.notes == ("Kafka at localhost:9092: no broker answers; lag is by the workers' word.",)

    seen.heard(ClusterState(13.0, problem="no Kafka broker answers at localhost:9092: connection refused"))
    (note,) = seen.view(13.0, WALL).notes
    assert note == "No Kafka broker answers at localhost:9092: connection refused; lag is by the workers' word."


def test_cluster_that_does_not_know_the_group_is_told_from_the_workers_own():
    seen = watch()
    seen.heard(kafka(10.0, state="Dead", members=(), committed=False))
    sample = look(HERE, 11.0, lag={("requests", 0): 7})
    seen.saw(Sample(**{**as_fields(sample), "info": {**sample.info, "bootstrap_servers": "elsewhere:9092"}}))

    view = seen.view(11.0, WALL)

    assert view.totals.lag == 7
    assert view.notes == (
        "Kafka at localhost:9092 does not know group predictions. "
        "The workers use elsewhere:9092: say -b elsewhere:9092.",
    )  # fmt: skip


def test_member_without_a_page_is_listed_and_partitions_of_nobody_are_noted():
    seen = watch()
    seen.saw(look(HERE, 10.0))
    seen.heard(kafka(10.0))
    stranger = seen.view(10.0, WALL).workers[1]
    assert (stranger.url, stranger.client_id, stranger.state, stranger.lag) == (
        "10.0.0.7", "penstock-1", "no page", 10
    )  # fmt: skip

    seen.heard(kafka(11.0, members=(Member("penstock-0", "10.0.0.7", frozenset({("requests", 0)})),)))
    assert seen.view(11.0, WALL).notes == ("1 of 2 partitions of requests are nobody's.",)


def test_rebalance_is_noted():
    seen = watch()
    seen.saw(look(HERE, 10.0))
    seen.heard(kafka(10.0, state="PreparingRebalance"))

    assert seen.view(10.0, WALL).notes == ("Group predictions is rebalancing (PreparingRebalance).",)


def test_worker_that_is_not_ready_says_why():
    seen = watch()
    seen.saw(look(HERE, 10.0, not_ready="models are loading"))

    view = seen.view(10.0, WALL)

    assert (view.ready, view.workers[0].state) == (0, "not ready")
    assert view.notes == ("here:8090 is not ready: models are loading.",)


def test_trend_is_none_where_the_sources_differ_and_zero_where_it_is_small():
    by_workers, by_kafka = Moment(1.0, 0, 500), Moment(3.0, 0, 900, whole=True)

    assert lag_trend([]) is None
    assert lag_trend([by_workers, by_kafka]) is None
    assert lag_trend([by_kafka, Moment(5.0, 0, 1000, whole=True)]) == 50
    assert lag_trend([by_kafka, Moment(5.0, 0, 901, whole=True)]) == 0


def test_document_has_the_figures_and_not_the_charts():
    document = as_document(two_looks(watch()))

    assert document["totals"]["answered"] == 340
    assert document["models"][0]["inference"] == {"p50_s": None, "p99_s": None}
    assert not {"rates", "lags"} & set(document)


def as_fields(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__slots__}
