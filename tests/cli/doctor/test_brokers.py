"""Judging whether Kafka can be reached."""

import pytest

from penstock.cli.doctor.brokers import judge_addresses, judge_advertised, judge_release
from penstock.transport.cluster import Cluster, Node
from penstock.transport.problems import Problem, Reached

WELL = Reached("a:9092", took_s=0.004)
REFUSED = Reached("b:9092", Problem.REFUSED)


def cluster(brokers: int = 1) -> Cluster:
    return Cluster(1, tuple(Node(number, "a", 9092) for number in range(brokers)), {})


def test_address_that_answers_is_well():
    (found,) = judge_addresses([WELL], {})
    assert (found.level, found.what) == ("ok", "a:9092 answers (4 ms)")


def test_address_that_does_not_answer_is_a_fault_where_no_other_does():
    (found,) = judge_addresses([REFUSED], {})
    assert found.level == "fault"
    assert found.commands == ()


def test_address_that_does_not_answer_is_a_warning_where_another_does():
    levels = [found.level for found in judge_addresses([WELL, REFUSED], {})]
    assert levels == ["ok", "warning"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_broker_that_is_missing_on_this_machine_can_be_started(host: str):
    (found,) = judge_addresses([Reached(f"{host}:9093", Problem.REFUSED)], {})
    assert found.commands == ("penstock broker start --port 9093",)


@pytest.mark.parametrize(
    ("release", "level"), [("4.3", "ok"), ("4.0", "ok"), ("3.9", "warning"), ("newer than 4.3", "ok"), (None, "ok")]
)
def test_release_before_4_is_a_warning(release: str | None, level: str):
    found = judge_release(Reached("a:9092", release=release), cluster())
    assert found.level == level


def test_brokers_are_counted():
    assert judge_release(Reached("a:9092", release="4.3"), cluster(1)).what == "Kafka 4.3, 1 broker"
    assert judge_release(Reached("a:9092", release="4.3"), cluster(3)).what == "Kafka 4.3, 3 brokers"


def test_advertised_address_that_cannot_be_reached_is_a_fault_that_names_the_broker():
    (found,) = judge_advertised({7: Reached("kafka:9092", Problem.UNRESOLVED)}, ["localhost:9092"], {})
    assert found.level == "fault"
    assert found.what == "broker 7 advertises kafka:9092: unknown host name"
    assert "advertised.listeners" in found.mend


def test_advertised_address_that_is_a_bootstrap_address_is_judged_once():
    assert judge_advertised({1: WELL, 2: REFUSED}, ["a:9092", "b:9092"], {}) == []


def test_reachable_brokers_are_well():
    (found,) = judge_advertised({1: WELL, 2: WELL, 3: WELL}, ["a:9092"], {})
    assert (found.level, found.what) == ("ok", "all 3 brokers are reachable at the address advertised")
