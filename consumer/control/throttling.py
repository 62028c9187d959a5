"""Throttles on one worker: which requests go now, which wait, and which are refused.

A request that several throttles concern needs rows of all of them. What the throttle of a tenant or a model delays
waits in a queue beside the others (`held.py`); what that of a lane or of the whole service delays is not fetched
(`steering.py`). When a throttle goes, what has waited for it is let out as fast as there is room beside what others
send, and what comes meanwhile waits behind it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from penstock.consumer.control.dividing import Reach
from penstock.consumer.control.held import HeldRequests, HeldSpan
from penstock.consumer.control.limit import Limit
from penstock.consumer.control.rates import Rates
from penstock.consumer.spans import Span
from penstock.core.metrics import Metrics
from penstock.schemas.control.resources import Scope
from penstock.schemas.control.specs import Throttle
from penstock.schemas.control.status import Demand, WorkerStatus
from penstock.schemas.errors import ErrorCode, RequestError

_LEAVING: Final = Scope("", "")  # the queue of requests whose throttle has gone
_AT_ONCE: Final = 32  # requests of one queue before it is the next one's turn
_LOOK_S: Final = 0.5  # how often those behind the heads are asked whether they have waited too long


class Refused(NamedTuple):
    """Requests that are answered THROTTLED."""

    span: Span
    error: RequestError


class Throttling:
    """Holds this worker to its share of each rate.

    Args:
        reach: how much of the service this worker is.
        default_model: returns the model of requests that name none.
        max_bytes: of requests that are held back.
        metrics: where delays and refusals are counted.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        reach: Reach,
        default_model: Callable[[], str | None],
        *,
        max_bytes: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = Rates(reach, default_model)
        self._metrics = metrics
        self._clock = clock
        self._let_out: set[Scope] = set()  # whose requests are leaving
        self._looked_at = clock()
        self.held = HeldRequests(max_bytes)

    def __repr__(self) -> str:
        return f"<Throttling {self._rates!r} {self.held!r}>"

    @property
    def active(self) -> bool:
        """Whether a throttle is in force, or requests still wait for one that was."""
        return bool(self._rates or self.held)

    def apply(self, throttles: Mapping[Scope, Throttle]) -> None:
        """Hold to these throttles from now on, and to no other."""
        now = self._clock()
        self._rates.apply(throttles, now)
        for scope, waiting in self.held.queues():
            if scope != _LEAVING and not self._rates.queues(scope):
                self._let_out.add(scope)
                for held in waiting:
                    self._pay_gates(held.span, now)
        self.held.sort(self._queue_of)
        self._recount()

    def learn(self, statuses: Sequence[WorkerStatus]) -> None:
        """Take in what the other workers have reported lately; the next `demand` divides by it."""
        self._rates.learn(statuses)

    def demand(self) -> dict[str, Demand]:
        """Return what is reported of each throttle; an interval of counting ends, and the rates are divided anew."""
        return self._rates.demand(self._clock())

    def admit(self, spans: Sequence[Span]) -> tuple[list[Span], list[Refused]]:
        """Return what of the fetched spans goes on now, and what is refused; the rest is held."""
        now = self._clock()
        go: list[Span] = []
        refused: list[Refused] = []
        for span in spans:
            limits = self._rates.of(span) if span.envelope.error is None else []
            for limit in limits:
                limit.ask(len(span.records))
            if limits:
                self._admit_some(span, limits, now, go, refused)
            else:
                self._pass(span, now, go)
        return go, refused

    def release(self, most: int) -> list[Span]:
        """Return held requests that may go now, so many at most; queues take turns."""
        now = self._clock()
        if self.held.drop_closed():
            self._recount()
        if not self.held.queue(_LEAVING):
            self._let_out.clear()
        self._rates.follow_partitions(now)
        go = self._expired(now)
        moved = True
        while moved and most > 0:
            moved = False
            for scope, head in self.held.heads():
                count = min(self._due(scope, head, now), most, _AT_ONCE)
                if count > 0:
                    go.append(self._let_go(scope, head, count, now))
                    most -= count
                    moved = True
        self._show()
        return go

    def charge(self, span: Span, rows: int) -> None:
        """Count the rows that a span turned out to have."""
        now = self._clock()
        for limit in self._rates.of(span):
            limit.learn(len(span.records), rows, now)

    def gates_of(self, topic: str | None) -> list[Limit]:
        """Return the limits that keep requests in Kafka: of a lane, or of the whole service where none is named."""
        return self._rates.gates_of(topic)

    def next_due(self) -> float:
        """Return when held requests may go or expire, monotonic seconds; infinity when there are none."""
        now = self._clock()
        due = float("inf")
        for scope, head in self.held.heads():
            deadline = head.deadlines[head.at] if head.deadlines else None
            limits = () if scope == _LEAVING else self._rates.of(head.span)
            passes = max((limit.bucket.next_due(now) for limit in limits), default=now)
            due = min(due, passes if deadline is None else min(passes, deadline))
        return due

    def _admit_some(self, span: Span, limits: list[Limit], now: float, go: list[Span], refused: list[Refused]) -> None:
        """Divide a span: the first go on, as many as all its throttles let; the others wait or are refused."""
        queues = [limit for limit in limits if limit.queues]
        blocked = any(limit.waiting for limit in queues)
        free = [limit.bucket.available(now) for limit in limits if not limit.gates]
        count = 0 if blocked else min([len(span.records), *free])
        if count:
            for limit in limits:
                limit.bucket.take(count, now)
            head, span = span.cut(count)
            self._pass(head, now, go)
        left = len(span.records)
        if not left:
            return
        full = next((limit for limit in limits if limit.refuses and not limit.bucket.available(now)), None)
        if full is None and queues:
            held = self.held.hold(queues[0].scope, span, now)
            for limit in queues:
                limit.waiting += held
            self._metrics.throttled.labels(queues[0].scope.kind, "delayed").inc(held)
            span, full = span.cut(held)[1], queues[0]
        if span.records and full is not None:
            self._metrics.throttled.labels(full.scope.kind, "refused").inc(len(span.records))
            refused.append(Refused(span, _over(full, now)))

    def _pass(self, span: Span, now: float, go: list[Span]) -> None:
        """Let requests go, behind those of their tenant or model that are still on their way out of a queue.

        Where there is no room behind them, all of those go at once: no throttle may refuse any of them.
        """
        if self._let_out and not self._let_out.isdisjoint(self._rates.scopes_of(span)):
            span = span.cut(self.held.hold(_LEAVING, span, now))[1]
            if not span.records:
                return
            while waiting := self.held.queue(_LEAVING):
                go.append(self._let_go(_LEAVING, waiting[0], len(waiting[0]), now))
        go.append(span)

    def _expired(self, now: float) -> list[Span]:
        """Return those for whom nobody waits any more and who stand behind others who go on waiting."""
        if now - self._looked_at < _LOOK_S:
            return []
        self._looked_at = now
        expired = self.held.take_expired(now)
        for span in expired:
            for limit in self._rates.of(span):
                limit.waiting -= len(span.records) if limit.queues else 0
        return expired

    def _due(self, scope: Scope, held: HeldSpan, now: float) -> int:
        """Return how many of the first records may go; who waits no longer needs no rows."""
        if scope == _LEAVING:
            return len(held)
        late = held.expired(now)
        return late or min([len(held), *(limit.bucket.available(now) for limit in self._rates.of(held.span))])

    def _let_go(self, scope: Scope, held: HeldSpan, count: int, now: float) -> Span:
        late = held.expired(now)
        span = self.held.let_go(scope, count)
        if scope == _LEAVING:
            return span
        for limit in self._rates.of(span):
            limit.waiting -= count if limit.queues else 0
            limit.bucket.take(0 if late else count, now)
        return span

    def _pay_gates(self, span: Span, now: float) -> None:
        for limit in self._rates.of(span):
            limit.bucket.take(len(span.records) if limit.gates else 0, now)

    def _queue_of(self, span: Span) -> Scope:
        return next((limit.scope for limit in self._rates.of(span) if limit.queues), _LEAVING)

    def _recount(self) -> None:
        for limit in self._rates:
            limit.waiting = 0
        for held in self.held:
            for limit in self._rates.of(held.span):
                limit.waiting += len(held) if limit.queues else 0
        self._show()

    def _show(self) -> None:
        self._metrics.delayed_requests.set(self.held.records)
        self._metrics.delayed_bytes.set(self.held.bytes)


def _over(limit: Limit, now: float) -> RequestError:
    wait_s = limit.retry_after_s(now)
    when = "it is stopped for now" if wait_s is None else f"try again in {max(wait_s, 0.001):.3g} s"
    rate = f"the rate that an operator has set for {limit.scope}"
    return RequestError(ErrorCode.THROTTLED, f"over {rate}; {when}", retry_after_s=wait_s)
