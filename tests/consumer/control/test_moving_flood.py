"""Workers that report to each other each second, at different moments: a flood moves, and the rate follows it."""

from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.control.throttling import Throttling
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.spans import Span
from penstock.core.metrics import Metrics
from penstock.schemas.control.resources import Scope
from penstock.schemas.control.specs import Throttle
from penstock.schemas.control.status import WorkerStatus
from penstock.schemas.envelope import Envelope

COUNT = 5
A = Scope("tenant", "a")
TICK_S = 0.1
METRICS = Metrics()


class Reach:
    """One of five workers with 8 partitions each."""

    own, all = 8, 8 * COUNT

    def lag(self, topic: str | None = None) -> int:
        return 0


class Workers:
    """Five workers; what one says in a tick, the others hear in the next."""

    def __init__(self, spec: Throttle) -> None:
        self.now = 0.0
        self.spec = spec
        self.all = [
            Throttling(Reach(), lambda: None, max_bytes=10**6, metrics=METRICS, clock=lambda: self.now)
            for _ in range(COUNT)
        ]
        self.said: dict[int, WorkerStatus] = {}
        self.envelope = Envelope()
        self.envelope.tenant = "a"
        self.progress = PartitionProgress(TopicPartition("requests", 0), 0)
        for each in self.all:
            each.apply({A: spec})

    def tick(self, flooded: int, rows_per_s: float) -> int:
        """Let a tick pass in which one worker gets a flood; return what all have let go."""
        self.now += TICK_S
        for number, throttling in enumerate(self.all):
            if round(self.now / TICK_S) % 10 == 2 * number:
                throttling.learn([status for worker, status in self.said.items() if worker != number])
                demand = throttling.demand()
                self.said[number] = WorkerStatus(
                    worker=str(number), started=0, time=0, interval_s=1.0, state="running", epoch=0, digest="",
                    partitions=8, demand=demand,
                )  # fmt: skip
        gone = sum(len(span.records) for each in self.all for span in each.release(10_000))
        go, _ = self.all[flooded].admit([self._span(int(rows_per_s * TICK_S))])
        return gone + sum(len(span.records) for span in go)

    def granted(self) -> list[float]:
        # A look at what is in force, without ending an interval of counting.
        return [limit.share for each in self.all for limit in each._rates]

    def _span(self, count: int) -> Span:
        record: Any = ConsumerRecord("requests", 0, 0, 0, 0, None, b"", None, -1, -1, ())
        return Span(self.progress, self.envelope, [record] * count, "", [])


@pytest.mark.parametrize("on_excess", ["delay", "reject"])
def test_a_flood_that_moves_is_followed_in_the_third_second(on_excess: str) -> None:
    workers = Workers(Throttle(rows_per_s=1000.0, on_excess=on_excess))  # type: ignore[arg-type]
    for _ in range(50):
        workers.tick(0, 4000.0)
    assert workers.granted()[0] > 900
    assert sum(workers.granted()) == pytest.approx(1000, rel=0.1)
    gone = sum(workers.tick(0, 4000.0) for _ in range(20))
    assert gone == pytest.approx(2000, rel=0.1)

    for _ in range(20):
        workers.tick(3, 4000.0)
    moved = sum(workers.tick(3, 4000.0) for _ in range(10))
    assert 750 < moved < 1100
    assert workers.granted()[3] > 850
    for _ in range(40):
        workers.tick(3, 4000.0)
    assert sum(workers.granted()) == pytest.approx(1000, rel=0.1)


def test_removal_gives_the_full_rate_back_at_once() -> None:
    workers = Workers(Throttle(rows_per_s=10.0))
    for _ in range(20):
        workers.tick(0, 1000.0)
    held = workers.all[0].held.records
    assert held > 500
    workers.all[0].apply({})
    assert sum(len(span.records) for span in workers.all[0].release(10_000)) == held
