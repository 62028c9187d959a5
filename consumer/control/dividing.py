"""This worker's share of each rate, by what all workers have reported."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from penstock.consumer.control.limit import Limit
from penstock.core.rate_sharing import shares
from penstock.schemas.control.resources import Scope
from penstock.schemas.control.status import WorkerStatus

IDLE_ROWS_PER_S: Final = 0.01
"""A demand below it is none."""

_OURSELVES: Final = ""  # no worker has these names
_SILENT: Final = "\0"
_HEARD_S: Final = 2.0  # beside two of its intervals: until then a worker has said what asks for a throttle


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

    Workers leave out throttles for which nothing asks. So where a demand is missing it is none; but a throttle that is
    new here may not have been in their reports yet, and they count by their partitions then, as does whoever has those
    partitions of which no report tells.

    Args:
        reach: how much of the service this worker is.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._statuses: Sequence[WorkerStatus] = ()
        self._own = 0  # partitions that were divided for last
        self._since: dict[Scope, float] = {}  # when each rate was divided first, monotonic seconds

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
        others = [each.worker for each in self._statuses]
        told, heard_s = self._told()
        before, self._since = self._since, {}
        idle_part: float | None = None
        for limit in limits:
            since = self._since[limit.scope] = before.get(limit.scope, now)
            missing = 0.0 if now - since >= heard_s else None
            said = told.get(str(limit.scope))
            rate, own = limit.spec.rows_per_s, limit.demand
            if said is None and missing is not None and own is not None and own < IDLE_ROWS_PER_S:
                if idle_part is None:  # there may be thousands of such throttles
                    idle_part = _share(1.0, {**dict.fromkeys(others, 0.0), _OURSELVES: 0.0}, partitions, counts)
                limit.divide(rate * idle_part, now)
            else:
                demands = {**dict.fromkeys(others, missing), **(said or {}), _OURSELVES: own}
                limit.divide(_share(rate, demands, partitions, counts), now)

    def _told(self) -> tuple[dict[str, dict[str, float]], float]:
        """Return the demands that others told, by scope and worker, and how old one is that all must have told."""
        found: dict[str, dict[str, float]] = {}
        for status in self._statuses:
            for scope, each in status.demand.items():
                found.setdefault(scope, {})[status.worker] = each.rows_per_s
        return found, _HEARD_S + 2.0 * max((each.interval_s for each in self._statuses), default=0.0)

    def measure(self, limit: Limit, now: float) -> None:
        """End an interval of counting. What a gate keeps in Kafka asks too."""
        topic = limit.scope.name if limit.scope.kind == "lane" else None
        limit.measure(self._reach.lag(topic) if limit.gates and limit.shut else limit.waiting, now)


def _share(
    rate: float, demands: Mapping[str, float | None], partitions: Mapping[str, int], counts: Mapping[str, int]
) -> float:
    at_work = {name: demand for name, demand in demands.items() if partitions[name] or demand}
    return shares(rate, at_work, counts).get(_OURSELVES, 0.0)
