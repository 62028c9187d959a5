"""This worker's share of each rate, by what all workers have reported."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from penstock.consumer.control.limit import Limit
from penstock.core.rate_sharing import shares
from penstock.schemas.control.status import WorkerStatus

_OURSELVES: Final = ""  # no worker has these names
_SILENT: Final = "\0"


class Reach(Protocol):
    """What is known of partitions; see `Partitions`."""

    @property
    def own(self) -> int:
        """How many are open here."""
        ...

    @property
    def all(self) -> int:
        """How many the request topics have."""
        ...

    def lag(self, topic: str | None = None) -> int:
        """Return how many records wait in Kafka, of one topic or of all."""
        ...


class Division:
    """Divides rates. Nothing is agreed on with others: each works out its own share from the same reports.

    A worker that has not reported a demand counts by its partitions, and so does whoever has those of which no report
    tells.

    Args:
        reach: how much of the service this worker is.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._statuses: Sequence[WorkerStatus] = ()
        self._own = 0  # partitions that were divided for last

    def __repr__(self) -> str:
        return f"<Division among {len(self._statuses) + 1} workers>"

    @property
    def stale(self) -> bool:
        """Whether partitions came or went since the last division."""
        return self._reach.own != self._own

    def learn(self, statuses: Sequence[WorkerStatus]) -> None:
        """Take in what the other workers have reported last."""
        self._statuses = statuses

    def divide(self, limits: Iterable[Limit], now: float) -> None:
        """Renew this worker's share of each limit."""
        self._own = self._reach.own
        partitions = {each.worker: each.partitions for each in self._statuses} | {_OURSELVES: self._own}
        silent = self._reach.all - sum(partitions.values())
        partitions |= {_SILENT: silent} if silent > 0 else {}
        counts = {name: count for name, count in partitions.items() if count}
        for limit in limits:
            demands = {each.worker: _demand_of(each, str(limit.scope)) for each in self._statuses}
            demands |= {_OURSELVES: limit.demand}
            at_work = {name: demand for name, demand in demands.items() if partitions[name] or demand}
            limit.divide(shares(limit.spec.rows_per_s, at_work, counts).get(_OURSELVES, 0.0), now)

    def measure(self, limit: Limit, now: float) -> None:
        """End an interval of counting. What a gate keeps in Kafka asks too."""
        topic = limit.scope.name if limit.scope.kind == "lane" else None
        limit.measure(self._reach.lag(topic) if limit.gates and limit.shut else limit.waiting, now)


def _demand_of(status: WorkerStatus, scope: str) -> float | None:
    told = status.demand.get(scope)
    return None if told is None else told.rows_per_s
