"""A worker's metrics page, read."""

import pytest
from prometheus_client import generate_latest

from penstock.cli.pages.sample import read_sample
from penstock.core.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics()
    made.describe(client_id="penstock-7", pid=7, group="predictions", request_topics="a,b", processes=2)
    return made


def read(metrics: Metrics, not_ready: str | None = None):
    return read_sample("http://here:8090", 5.0, generate_latest(metrics.registry).decode(), not_ready)


def test_page_of_a_worker_is_read_whole(metrics):
    metrics.requests.labels("iris", "ok").inc(3)
    metrics.requests.labels("", "UNKNOWN_MODEL").inc()
    metrics.dead_letters.labels("UNREADABLE").inc(2)
    metrics.observe_batch("iris", rows=3, waited_s=0.002, ran_s=0.2)
    metrics.lag.labels("a", "0").set(17)
    metrics.models.labels("iris", "1").set(1)
    metrics.models.labels("iris", "2").set(1)
    metrics.serving.labels("iris", "2").set(1)
    metrics.paused.set(1)

    sample = read(metrics, not_ready="the worker is draining")

    assert (sample.url, sample.at, sample.not_ready) == ("http://here:8090", 5.0, "the worker is draining")
    assert (sample.info["group"], sample.info["pid"]) == ("predictions", "7")
    assert sample.requests == {("iris", "ok"): 3, ("", "UNKNOWN_MODEL"): 1}
    assert sample.dead_letters == {"UNREADABLE": 2}
    assert (sample.batch_rows["iris"].count, sample.batch_rows["iris"].sum) == (1, 3)
    assert (sample.inference["iris"].sum, sample.queue.sum, sample.publish.count) == (0.2, 0.002, 0)
    assert sample.queue.bounds[-1] == float("inf")
    assert sample.lag == {("a", 0): 17}
    assert (sample.loaded, sample.serving) == ({"iris": ("1", "2")}, {"iris": "2"})
    assert sample.gauges["paused"] == 1


def test_page_of_something_else_is_refused():
    with pytest.raises(ValueError, match="not a Penstock worker"):
        read_sample("http://here:1", 0.0, "# TYPE go_threads gauge\ngo_threads 8\n", None)


def test_orders_to_the_terminal_in_a_page_are_disarmed(metrics):
    metrics.describe(client_id="evil\x1b[2J", group="g\u202e")

    sample = read(metrics, not_ready="\x1b]0;title\x07")

    assert (sample.info["client_id"], sample.info["group"]) == ("evil?[2J", "g?")
    assert sample.not_ready == "?]0;title?"
