"""A rate among a thousand workers that only hear of each other: late, and not always.

Time goes by rounds of a second. In each round a worker counts what asks, lets go what its bucket lets it, reports, and
works out its share from the reports that have reached it. Reports travel for up to two rounds, and some are lost.
Workers that hear the same are computed together: there are 8 ways in which reports get lost.
"""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import pytest

from penstock.core.rate_sharing import DemandMeter, shares
from penstock.core.throttle import TokenBucket

WORKERS: Final = 1000
PARTITIONS: Final = 10_000
RATE: Final = 50_000.0
EARS: Final = 8
UNTIL_GONE: Final = 3  # rounds without a word
SILENT: Final = "silent"


class Worker:
    """One worker: what asks it, what waits, and what it lets go."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.partitions: list[int] = []
        self.meter = DemandMeter(now)
        self.bucket = TokenBucket(0.0, 0.0, now)
        self.waiting = 0
        self.share = 0.0

    def turn(self, rows: int, now: float) -> tuple[int, float]:
        """Let go what may go, and return that, and the demand to report."""
        self.meter.count(rows)
        self.waiting += rows
        gone = min(self.waiting, self.bucket.available(now))
        self.bucket.take(gone, now)
        self.waiting -= gone
        return gone, self.meter.read(now) + self.waiting


class Service:
    """All workers, and the reports between them."""

    def __init__(self, weights: Callable[[random.Random], list[float]], rows_per_s: float, seed: int) -> None:
        self.random = random.Random(seed)
        weighted = weights(self.random)
        total = sum(weighted)
        self.asks = [rows_per_s * weight / total for weight in weighted]  # of each partition
        self.now = 0.0
        self.workers = {str(number): Worker(str(number), 0.0) for number in range(WORKERS)}
        self.assign()
        # What each way of hearing knows: worker -> round of the report, demand, partitions.
        self.heard: list[dict[str, tuple[float, float, int]]] = [{} for _ in range(EARS)]
        self.travelling: list[tuple[float, str, float, int]] = []
        self.gone = 0

    def assign(self) -> None:
        names = sorted(self.workers)
        self.random.shuffle(names)
        for number, name in enumerate(names):
            self.workers[name].partitions = list(range(number, PARTITIONS, len(names)))

    def leave(self, count: int) -> None:
        for name in self.random.sample(sorted(self.workers), count):
            del self.workers[name]
        self.assign()

    def join(self, count: int) -> None:
        for number in range(count):
            name = f"new-{self.now:.0f}-{number}"
            self.workers[name] = Worker(name, self.now)
        self.assign()

    def round(self, lost: float = 0.05) -> None:
        self.now += 1.0
        self.gone = 0
        for name, worker in self.workers.items():
            asking = sum(self.asks[each] for each in worker.partitions)
            gone, demand = worker.turn(int(self.random.gauss(asking, asking**0.5) + 0.5), self.now)
            self.gone += gone
            self.travelling.append((self.now + self.random.choice((0, 0, 1, 2)), name, demand, len(worker.partitions)))
        arrived = [each for each in self.travelling if each[0] <= self.now]
        self.travelling = [each for each in self.travelling if each[0] > self.now]
        for at, heard in enumerate(self.heard):
            heard |= {name: (self.now, told, count) for _, name, told, count in arrived if self.random.random() >= lost}
            self.share_out(at, heard)

    def share_out(self, at: int, heard: dict[str, tuple[float, float, int]]) -> None:
        known = {name: told for name, told in heard.items() if told[0] > self.now - UNTIL_GONE}
        demands: dict[str, float | None] = {name: told[1] for name, told in known.items()}
        partitions = {name: told[2] for name, told in known.items()}
        listeners = [worker for worker in self.workers.values() if hash_of(worker.name) % EARS == at]
        for worker in listeners:  # who has not been heard of counts by its partitions, itself too
            partitions.setdefault(worker.name, len(worker.partitions))
        partitions[SILENT] = max(0, PARTITIONS - sum(partitions.values()))
        found = shares(RATE, demands, partitions)
        for worker in listeners:
            worker.share = found[worker.name]
            worker.bucket.change(worker.share, worker.share, self.now)

    @property
    def granted(self) -> float:
        return sum(worker.share for worker in self.workers.values())


def hash_of(name: str) -> int:
    return sum(name.encode()) * 7 + len(name)


def even(_: random.Random) -> list[float]:
    return [1.0] * PARTITIONS


def skewed(source: random.Random) -> list[float]:
    """One partition has a tenth of all, and half of them next to nothing."""
    weights = [1.0 / (number + 1) for number in range(PARTITIONS)]
    source.shuffle(weights)
    return weights


def few(source: random.Random) -> list[float]:
    """A tenant that has keys on 20 partitions alone."""
    weights = [0.0] * PARTITIONS
    for number in source.sample(range(PARTITIONS), 20):
        weights[number] = 1.0
    return weights


@pytest.mark.parametrize("weights", [even, skewed, few])
def test_what_all_workers_let_go_is_the_rate_within_a_tenth(weights: Callable[[random.Random], list[float]]) -> None:
    service = Service(weights, rows_per_s=4 * RATE, seed=7)
    for number in range(14):
        if number in {2, 4}:
            service.leave(60)
        if number in {3, 5}:
            service.join(70)
        service.round()
    granted, gone = [], []
    for _ in range(5):
        service.round()
        granted.append(service.granted / RATE)
        gone.append(service.gone / RATE)
    assert all(0.9 <= each <= 1.1 for each in granted), granted
    assert all(0.9 <= each <= 1.1 for each in gone), gone
    assert all(abs(later - before) < 0.05 for before, later in pairwise(granted)), "it does not swing"


def test_a_rate_that_suffices_holds_nobody_up() -> None:
    service = Service(skewed, rows_per_s=0.6 * RATE, seed=3)
    for _ in range(9):
        service.round()
    assert service.granted == pytest.approx(RATE, rel=0.1)
    for _ in range(4):
        service.round()
        assert service.gone == pytest.approx(0.6 * RATE, rel=0.1)
    assert sum(worker.waiting for worker in service.workers.values()) < 0.1 * RATE


def test_one_report_in_five_may_be_lost() -> None:
    service = Service(skewed, rows_per_s=4 * RATE, seed=5)
    for _ in range(9):
        service.round(lost=0.2)
    for _ in range(4):
        service.round(lost=0.2)
        assert service.granted == pytest.approx(RATE, rel=0.1)
