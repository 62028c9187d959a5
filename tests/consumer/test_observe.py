"""The lag that a worker shows of its partitions, read by another thread at any moment."""

from types import SimpleNamespace

import pytest
from aiokafka.structs import TopicPartition

from penstock.consumer.pipeline import Pipeline
from penstock.core.metrics import Metrics

ENDS = {TopicPartition("requests", 0): 100, TopicPartition("requests", 1): 7, TopicPartition("requests", 2): None}


@pytest.fixture
def pipeline() -> Pipeline:
    """A pipeline without its clients: as much of it as observing takes."""
    made = Pipeline.__new__(Pipeline)
    made._metrics = Metrics()
    made._lag_shown = set()
    made._consumer = SimpleNamespace(highwater=ENDS.get)
    made._assignment = SimpleNamespace(open={place: SimpleNamespace(next_offset=5) for place in ENDS})  # type: ignore[assignment]
    return made


def lag(pipeline: Pipeline) -> dict[str, float]:
    (family,) = pipeline._metrics.lag.collect()
    return {sample.labels["partition"]: sample.value for sample in family.samples}


def test_lag_is_that_of_the_partitions_whose_end_is_known(pipeline):
    pipeline.observe()
    assert lag(pipeline) == {"0": 95, "1": 2}


def test_partition_that_has_gone_is_spoken_of_no_more(pipeline):
    pipeline.observe()
    del pipeline._assignment.open[TopicPartition("requests", 0)]
    pipeline.observe()
    assert lag(pipeline) == {"1": 2}


def test_lag_of_a_partition_that_stays_is_never_taken_away(pipeline):
    pipeline.observe()
    before = pipeline._metrics.lag.labels("requests", "0")
    pipeline.observe()
    assert pipeline._metrics.lag.labels("requests", "0") is before
