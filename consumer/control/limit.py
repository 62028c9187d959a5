"""One throttle in force on this worker: its share of the rate, and what has asked for it."""

import math
from typing import Final

from penstock.core.rate_sharing import DemandMeter
from penstock.core.throttle import TokenBucket
from penstock.schemas.control.resources import Scope
from penstock.schemas.control.specs import Throttle
from penstock.schemas.control.status import Demand

_NARROW: Final = frozenset({"tenant", "model"})
_LEARNING: Final = 0.05  # how fast the mean follows


class Limit:
    """A throttle, with a bucket of its own on each worker.

    Args:
        scope: whom it concerns.
        spec: what was commanded.
        now: monotonic seconds.

    Attributes:
        waiting: requests held back for it.
        demand: rows a second that asked, as measured last; None before.
        share: rows a second that this worker may let go.
        mean: rows of a request, lately. How many it has is known only after it was let go.
    """

    def __init__(self, scope: Scope, spec: Throttle, now: float) -> None:
        self.scope = scope
        self.spec = spec
        self.waiting = 0
        self.demand: float | None = None
        self._backlog = 0
        self.share = 0.0
        self.mean = 1.0
        self.shut = False  # whether a gate was shut since the last report
        self._fresh = True
        self._meter = DemandMeter(now)
        self.bucket = TokenBucket(0.0, 0.0, now)

    def __repr__(self) -> str:
        return f"<Limit {self.scope} {self.bucket!r} waiting={self.waiting}>"

    @property
    def refuses(self) -> bool:
        """Whether what is over is refused."""
        return self.spec.on_excess == "reject"

    @property
    def queues(self) -> bool:
        """Whether what is over waits here, and what is not concerned passes it."""
        return not self.refuses and self.scope.kind in _NARROW

    @property
    def gates(self) -> bool:
        """Whether what is over is not even fetched: nothing that is not concerned would be behind it."""
        return not self.refuses and self.scope.kind not in _NARROW

    def divide(self, share: float, now: float) -> None:
        """Take a share of the rate, and the same part of the burst."""
        rate, burst = self.spec.rows_per_s, self.spec.burst
        self.share = share
        whole = rate if burst is None else burst
        part = whole * share / rate if rate > 0 else 0.0
        if self._fresh and share > 0:  # whoever has let nothing go yet may begin with its part of the burst
            self.bucket = TokenBucket(share, part, now)
            self._fresh = False
        else:
            self.bucket.change(share, part, now)

    def ask(self, requests: int) -> None:
        """Count requests that have come."""
        self._meter.count(math.ceil(requests * self.mean))

    def learn(self, requests: int, rows: int, now: float) -> None:
        """Charge what requests had beyond a row each."""
        self.bucket.take(rows - requests, now)
        self.mean += (rows / requests - self.mean) * min(1.0, _LEARNING * requests)

    def measure(self, backlog: int, now: float) -> None:
        """End an interval of counting; those that wait ask too, as if all of them were to go within a second."""
        self.demand = self._meter.read(now) + backlog * self.mean
        self.shut = False
        self._backlog = backlog

    def report(self) -> Demand:
        """Return what the others are told."""
        return Demand(rows_per_s=self.demand or 0.0, granted_per_s=self.share, waiting=self._backlog)

    def room(self, now: float) -> int:
        """Return how many requests may be fetched, by the rows that they have on average."""
        rows = self.bucket.available(now)
        self.shut = self.shut or not rows
        return max(1, int(rows / max(1.0, self.mean))) if rows else 0

    def retry_after_s(self, now: float) -> float | None:
        """Return when another request may pass, in seconds; None when nobody knows."""
        if self.share <= 0:
            return None
        return max(self.bucket.next_due(now) - now, 0.0) + self.waiting * self.mean / self.share
