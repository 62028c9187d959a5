"""The throttles in force on this worker, each held to this worker's share."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from penstock.consumer.control.dividing import Division, Reach
from penstock.consumer.control.limit import Limit
from penstock.consumer.spans import Span
from penstock.schemas.control.resources import GLOBAL, Scope
from penstock.schemas.control.specs import Throttle
from penstock.schemas.control.status import Demand, WorkerStatus


class Rates:
    """Knows which limits concern a request. Each `now` is monotonic seconds.

    Args:
        reach: how much of the service this worker is.
        default_model: returns the model of requests that name none.
    """

    def __init__(self, reach: Reach, default_model: Callable[[], str | None]) -> None:
        self._division = Division(reach)
        self._default_model = default_model
        self._limits: dict[Scope, Limit] = {}

    def __iter__(self) -> Iterator[Limit]:
        return iter(self._limits.values())

    def __len__(self) -> int:
        return len(self._limits)

    def __repr__(self) -> str:
        return f"<Rates {list(map(str, self._limits))}>"

    def apply(self, throttles: Mapping[Scope, Throttle], now: float) -> None:
        """Hold to these throttles from now on, and to no other."""
        before, self._limits = self._limits, {}
        for scope, spec in throttles.items():
            limit = self._limits[scope] = before.get(scope) or Limit(scope, spec, now)
            limit.spec = spec
        self._division.divide(self._limits.values(), now)

    def learn(self, statuses: Sequence[WorkerStatus]) -> None:
        """Take in what the other workers have reported lately; the next `demand` divides by it."""
        self._division.learn(statuses)

    def demand(self, now: float) -> dict[str, Demand]:
        """Return what is reported of each throttle; an interval of counting ends, and the rates are divided anew."""
        for limit in self._limits.values():
            self._division.measure(limit, now)
        self._division.divide(self._limits.values(), now)
        return {str(scope): limit.report() for scope, limit in self._limits.items()}

    def follow_partitions(self, now: float) -> None:
        """Divide anew if partitions came or went."""
        if self._division.stale:
            self._division.divide(self._limits.values(), now)

    def scopes_of(self, span: Span) -> tuple[tuple[str, str], ...]:
        """Return all scopes whose throttles would concern these requests, the narrowest first."""
        envelope = span.envelope
        model = envelope.model or self._default_model() or ""
        # Plain tuples equal a `Scope`, and are made for every span that comes while anything is throttled.
        return ("tenant", envelope.tenant or ""), ("model", model), ("lane", span.progress.place.topic), GLOBAL

    def of(self, span: Span) -> list[Limit]:
        """Return the limits that concern these requests."""
        limits: Mapping[tuple[str, str], Limit] = self._limits  # type: ignore[assignment]  # see `scopes_of`
        return [limit for scope in self.scopes_of(span) if (limit := limits.get(scope))]

    def gates_of(self, topic: str | None) -> list[Limit]:
        """Return the limits that keep requests in Kafka: of a lane, or of the whole service where none is named."""
        limit = self._limits.get(GLOBAL if topic is None else Scope("lane", topic))
        return [limit] if limit is not None and limit.gates else []

    def queues(self, scope: Scope) -> bool:
        """Return whether requests of a scope wait in a queue when they are too many."""
        limit = self._limits.get(scope)
        return limit is not None and limit.queues
