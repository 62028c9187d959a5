"""The cap at work: what it tells, and when another version resets it."""

from typing import Any

from penstock.consumer.failure_cap.cap import PROBES, CapPolicy
from penstock.consumer.failure_cap.gate import FailureGate
from penstock.core.metrics import Metrics

MOST = 500


def gate_of(metrics: Metrics | None = None, retry_s: float = 1000.0, **changed: Any) -> FailureGate:
    policy = CapPolicy(ratio=0.9, window=100, run=0, retry_s=retry_s)
    facts: dict[str, Any] = {"max_records": MOST, "serving": list, "idle": lambda: True, **changed}
    return FailureGate(policy, metrics or Metrics(), **facts)


def value(metrics: Metrics, name: str) -> float:
    return sum(s.value for each in metrics.registry.collect() for s in each.samples if s.name == name)


def test_a_gate_that_holds_says_so_and_another_version_opens_it() -> None:
    serving, metrics = ["iris@1"], Metrics()
    gate = gate_of(metrics, serving=lambda: serving)
    gate.count("iris", 0, 100)
    assert (gate.look(), gate.holding) == (True, True)
    assert str(gate.reason).startswith("100 of the last 100 requests of iris failed")
    assert value(metrics, "penstock_failure_cap") == 1
    assert value(metrics, "penstock_failure_cap_trips_total") == 1

    serving[:] = ["iris@2"]
    assert not gate.look()
    assert gate.most == MOST
    assert gate.reason is None
    assert value(metrics, "penstock_failure_cap") == 0


def test_probes_are_counted_as_they_are_fetched() -> None:
    idle = [True]
    gate = gate_of(retry_s=0.0, idle=lambda: idle[0])
    gate.count("iris", 0, 100)
    assert not gate.look()
    assert gate.most == PROBES
    gate.let_in({"a": [1] * 10, "b": [2]})
    assert not gate.look()
    assert gate.most == PROBES - 11
    gate.let_in({"a": [1] * 9})
    idle[0] = False
    assert gate.look()
    gate.count("iris", 16, 0)
    idle[0] = True
    assert not gate.look()
    assert gate.most == MOST


def test_answers_count_for_the_reply_topic_too() -> None:
    gate = gate_of()
    for _ in range(1000):  # now and then a reply is refused, over years
        gate.count("iris", 100, 0)
        gate.count("", 0, 1)
    assert gate.reason is None
