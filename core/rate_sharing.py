"""How workers share one rate without a leader: each works out the same shares from what all have reported.

A share goes where the rows are. A worker with few rows gets what it needs and a little more; the others share the rest
by what they ask for. Who has not reported gets the part of the rate that its partitions are of all. Pure.
"""

import math
from collections.abc import Mapping
from typing import Final

_HEADROOM: Final = 0.05  # over the demand, so that it may grow until it is reported
_IDLE: Final = 0.03  # of an equal share: what a worker without demand may begin with
_SURE: Final = 0.5  # of an equal share: as much each gets before demand divides the rest
_RISE_S: Final = 0.25  # half-lives of what is remembered of the demand
_FALL_S: Final = 0.4


def shares(rate: float, demands: Mapping[str, float | None], partitions: Mapping[str, int]) -> dict[str, float]:
    """Divide a rate; the shares add up to it, if there is a worker at all.

    Args:
        rate: rows a second, of all workers together.
        demands: rows a second that each worker would take; None where it has not said so.
        partitions: of each worker.
    """
    workers = sorted(demands.keys() | partitions.keys())
    if not workers:
        return {}
    silent = [worker for worker in workers if demands.get(worker) is None]
    everything = sum(partitions.values())
    found = {worker: rate * _part(partitions.get(worker, 0), everything, len(workers)) for worker in silent}
    told = {worker: demand for worker in workers if (demand := demands.get(worker)) is not None}
    left = max(0.0, rate - sum(found.values()))
    return found | _by_demand(left, told) if told else found


def _part(count: int, everything: int, workers: int) -> float:
    return count / everything if everything else 1.0 / workers


def _by_demand(rate: float, demands: Mapping[str, float]) -> dict[str, float]:
    """Give each worker a sure part of what it needs, and divide what is left by what it needs beyond."""
    equal = rate / len(demands)
    needs = {worker: demand * (1 + _HEADROOM) + _IDLE * equal for worker, demand in demands.items()}
    spare = rate - sum(needs.values())
    if spare >= 0:
        return {worker: need + spare / len(needs) for worker, need in needs.items()}
    sure = {worker: min(need, _SURE * equal) for worker, need in needs.items()}
    beyond = sum(needs.values()) - sum(sure.values())
    part = (rate - sum(sure.values())) / beyond
    return {worker: sure[worker] + part * (need - sure[worker]) for worker, need in needs.items()}


class DemandMeter:
    """Rows a second that ask for something: what grows is seen at once, what falls is believed in two seconds.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self._since = now
        self._rows = 0
        self._per_s = 0.0

    def __repr__(self) -> str:
        return f"<DemandMeter {self._per_s:.1f} rows a second>"

    def count(self, rows: int) -> None:
        """Count rows that have asked; rows that were counted too much are taken back."""
        self._rows += rows

    def read(self, now: float) -> float:
        """Return rows a second, and begin a new interval."""
        passed_s = now - self._since
        if passed_s > 0:
            seen = max(0, self._rows) / passed_s
            kept = math.exp2(-passed_s / (_RISE_S if seen > self._per_s else _FALL_S))
            self._per_s = seen + (self._per_s - seen) * kept
            self._since, self._rows = now, 0
        return self._per_s
