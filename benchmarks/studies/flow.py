"""What became of requests that left by a schedule. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

_LATE_S = 0.005  # a generator that is later than this with one request in a hundred did not keep its schedule

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Flow:
    """The requests of one run. All times are monotonic seconds, float64 [requests].

    Attributes:
        due: when each should have left.
        left: when it was handed to the Kafka client.
        came: when its first reply came; NaN where none did.
        doubles: replies beyond the first of a request.
        wrong: replies with another label than scikit-learn's.
    """

    due: Array
    left: Array
    came: Array
    doubles: int = 0
    wrong: int = 0

    @property
    def unanswered(self) -> int:
        """Requests without a reply."""
        return int(np.isnan(self.came).sum())

    @property
    def latency_s(self) -> Array:
        """From when each request should have left to its reply, of the answered ones."""
        return (self.came - self.due)[~np.isnan(self.came)]

    @property
    def late_p99_s(self) -> float:
        """How late the generator was: the 99th percentile from due to left."""
        return float(np.percentile(self.left - self.due, 99)) if len(self.due) else 0.0

    @property
    def kept_schedule(self) -> bool:
        """Whether the generator did what it was told; if not, latency holds its own delay too."""
        return self.late_p99_s <= _LATE_S

    @property
    def sent_per_s(self) -> float:
        """The rate at which requests really left."""
        if len(self.left) < 2:
            return 0.0
        return float((len(self.left) - 1) / (self.left[-1] - self.left[0]))

    def between(self, start: float, end: float) -> "Flow":
        """Return the requests that were due in [start, end), without the counts of faults."""
        inside = (self.due >= start) & (self.due < end)
        return Flow(self.due[inside], self.left[inside], self.came[inside])


def flow_of(due: list[float], left: list[float], replies: list[tuple[int, float, bool]]) -> Flow:
    """Put requests and replies together.

    Args:
        due: when each request should have left.
        left: when it did.
        replies: number of the request, time, and whether it is right; in the order they came. Replies to other
            requests, those of an earlier run for example, are passed over.
    """
    came = np.full(len(due), np.nan)
    doubles = wrong = 0
    for index, at, right in replies:
        if not 0 <= index < len(due):
            continue
        wrong += not right
        if np.isnan(came[index]):
            came[index] = at
        else:
            doubles += 1
    return Flow(np.array(due, dtype=np.float64), np.array(left, dtype=np.float64), came, doubles, wrong)


def percentiles_ms(flow: Flow, *shares: float) -> list[float]:
    """Return percentiles of latency, shares in percent; NaN for each when nothing was answered."""
    latency = flow.latency_s
    if not len(latency):
        return [float("nan")] * len(shares)
    return [float(value) * 1000 for value in np.percentile(latency, shares)]


def longest_gap_s(came: Array, start: float, end: float) -> float:
    """Return the longest time without any reply inside [start, end], the edges being taken for replies."""
    inside = np.sort(came[(came >= start) & (came <= end)])
    return float(np.diff(np.concatenate(([start], inside, [end]))).max())


def longest_wait_s(flow: Flow) -> float:
    """Return the longest latency of one request; infinite when one was not answered, 0 without requests."""
    if flow.unanswered:
        return float("inf")
    return float(flow.latency_s.max()) if len(flow.due) else 0.0
