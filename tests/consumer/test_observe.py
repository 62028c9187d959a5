"""The lag that a worker shows of its partitions, read by another thread at any moment."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from penstock.consumer.lag_gauges import LagGauges
from penstock.core.metrics import Metrics

ENDS = {TopicPartition("requests", 0): 100, TopicPartition("requests", 1): 7, TopicPartition("requests", 2): None}


class Shown:
    """Gauges of three partitions, each finished up to offset 5."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.served: dict[TopicPartition, Any] = {place: SimpleNamespace(next_offset=5) for place in ENDS}
        self._gauges = LagGauges(self.metrics)

    def observe(self) -> None:
        self._gauges.show(self.served, ENDS.get)

    def lag(self) -> dict[str, float]:
        (family,) = self.metrics.lag.collect()
        return {sample.labels["partition"]: sample.value for sample in family.samples}


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_lag_is_that_of_the_partitions_whose_end_is_known(shown: Shown) -> None:
    shown.observe()
    assert shown.lag() == {"0": 95, "1": 2}


def test_partition_that_has_gone_is_spoken_of_no_more(shown: Shown) -> None:
    shown.observe()
    del shown.served[TopicPartition("requests", 0)]
    shown.observe()
    assert shown.lag() == {"1": 2}


def test_lag_of_a_partition_that_stays_is_never_taken_away(shown: Shown) -> None:
    shown.observe()
    before = shown.metrics.lag.labels("requests", "0")
    shown.observe()
    assert shown.metrics.lag.labels("requests", "0") is before
