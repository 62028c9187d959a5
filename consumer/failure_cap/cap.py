"""A cap on failures: when to stop taking requests because nearly all of them fail, and when to try again. Pure.

    taking --(most of the last requests failed)--> holding --(after a while)--> probing --> taking, or holding again

A bad deployment makes every request of a model fail. Without a cap the worker would go on until each record of the
topic has its error reply or its dead letter, and a new deployment would find nothing left to do. With one, what is
waiting stays where it is safe: in Kafka.

Only what the service itself causes counts (`causes.py`): no client can stop a worker with requests that
are malformed, too late or over their rate. Outcomes come batch by batch. Time comes in as `now`.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

PROBES: Final = 16  # requests let through to try; enough that one good one is no accident
_LONGEST: Final = 20.0  # times `retry_s`: pauses double up to that


@dataclass(frozen=True, slots=True, kw_only=True)
class CapPolicy:
    """When to stop.

    Attributes:
        ratio: share of the last `window` requests of a model that failed, above 0; 0 is no such bound.
        window: requests that are looked at; fewer stop nothing.
        run: failures of a model in a row; 0 is no such bound.
        retry_s: pause before a few are let through to try. It doubles while they fail, up to 20 times as long.
    """

    ratio: float
    window: int
    run: int
    retry_s: float

    @property
    def active(self) -> bool:
        """Whether anything is bounded."""
        return self.ratio > 0 or self.run > 0


class ModelOutcomes:
    """The last outcomes of one model, as batches."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, int]] = deque()
        self.good = self.failed = 0
        self.run = 0  # failures since the last good one

    def __repr__(self) -> str:
        return f"<ModelOutcomes {self.good} good, {self.failed} failed, {self.run} in a row>"

    def add(self, good: int, failed: int, window: int) -> None:
        """Count a batch, and forget what lies further back than the window."""
        self._batches.append((good, failed))
        self.good += good
        self.failed += failed
        self.run = failed if good else self.run + failed
        while self.good + self.failed - sum(self._batches[0]) >= window:
            oldest_good, oldest_failed = self._batches.popleft()
            self.good -= oldest_good
            self.failed -= oldest_failed

    def exceed(self, policy: CapPolicy) -> bool:
        """Tell whether they are more than a policy lets pass."""
        total = self.good + self.failed
        too_many = policy.ratio > 0 and total >= policy.window and self.failed >= policy.ratio * total
        return too_many or 0 < policy.run <= self.run


@dataclass(slots=True)
class Hold:
    """A model whose requests fail, so that nothing is taken.

    Attributes:
        said: what it came from, for a person.
        probe_at: monotonic seconds.
        pause_s: how long it was waited for that.
        room: requests that may still be let through as probes; None before their time.
        good, failed: what became of them so far.
    """

    said: str
    probe_at: float
    pause_s: float
    room: int | None = None
    good: int = 0
    failed: int = 0


class FailureCap:
    """Decides, for all models of a worker. What it says changes in `observe`, `room`, `took` and `reset` only.

    Args:
        policy: when to stop.
    """

    def __init__(self, policy: CapPolicy) -> None:
        self._policy = policy
        self._outcomes: dict[str, ModelOutcomes] = {}
        self.holds: dict[str, Hold] = {}

    def __repr__(self) -> str:
        return f"<FailureCap {self.reason or 'open'}>"

    @property
    def reason(self) -> str | None:
        """Why nothing, or next to nothing, is taken, for a person; None while all is."""
        return "; ".join(hold.said for hold in self.holds.values()) or None

    def observe(self, model: str, good: int, failed: int, now: float) -> bool:
        """Count the outcomes of a batch; True when the worker has to stop because of them.

        Args:
            model: its name, without the version; empty for requests that found no reply topic, whatever their model.
            good: requests that were answered.
            failed: requests that failed by the service's own fault.
            now: monotonic seconds.
        """
        hold = self.holds.get(model)
        if hold is not None:
            if hold.room is not None:  # else they were on their way when it stopped
                hold.good += good
                hold.failed += failed
            return False
        if not self._policy.active or not good + failed:
            return False
        outcomes = self._outcomes.setdefault(model, ModelOutcomes())
        outcomes.add(good, failed, self._policy.window)
        if not outcomes.exceed(self._policy):
            return False
        of = f" of {model}" if model else ""
        how = "failed" if model else "found no way to the reply topic"
        said = f"{outcomes.failed:,} of the last {outcomes.good + outcomes.failed:,} requests{of} {how}"
        self.holds[model] = Hold(said, now + self._policy.retry_s, self._policy.retry_s)
        del self._outcomes[model]
        return True

    def room(self, now: float, *, idle: bool) -> int | None:
        """Return how many requests may be taken now; None is any number.

        Args:
            now: monotonic seconds.
            idle: everything that was taken is finished.
        """
        for model, hold in list(self.holds.items()):
            if hold.room is None:
                if now >= hold.probe_at and idle:
                    hold.room, hold.good, hold.failed = PROBES, 0, 0
            elif idle and hold.room == 0:
                self._judge(model, hold, now)
        rooms = [hold.room or 0 for hold in self.holds.values()]
        return min(rooms, default=None)

    def took(self, count: int) -> None:
        """Say that so many requests were taken."""
        for hold in self.holds.values():
            if hold.room is not None:
                hold.room = max(0, hold.room - count)

    def reset(self) -> None:
        """Forget everything: other versions serve."""
        self._outcomes.clear()
        self.holds.clear()

    def _judge(self, model: str, hold: Hold, now: float) -> None:
        """Go on, hold again, or let more through, by what became of the probes."""
        total = hold.good + hold.failed
        if not total:  # the probes were for others
            hold.room = PROBES
        elif hold.failed >= (self._policy.ratio or 1.0) * total:
            hold.pause_s = min(2 * hold.pause_s, _LONGEST * self._policy.retry_s)
            hold.probe_at, hold.room = now + hold.pause_s, None
        else:
            del self.holds[model]
