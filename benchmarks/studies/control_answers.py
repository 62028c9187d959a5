"""What became of requests while a service was commanded: counted, and divided by time, key and version. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.studies.control_models import STEP
from benchmarks.studies.flow import Array, Flow

Whole = np.ndarray[Any, np.dtype[np.int64]]


class Request(NamedTuple):
    """A request: when it should have left and did, monotonic seconds; which stream it is of, and which key it has."""

    due: float
    left: float
    stream: int
    key: int


class Reply(NamedTuple):
    """A reply, as it was read.

    Attributes:
        at: when it came, monotonic seconds.
        number: of the request that it answers, by its id; -1 where there is none.
        source: the place of that request in Kafka.
        version: that answered, by the header; 0 for an error.
        epoch: of control at which it was answered.
        y: what it says; None for an error.
        error: the code of that.
    """

    at: float
    number: int
    source: bytes
    version: int
    epoch: int
    y: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """The requests of a run and their first answers, each array [requests].

    Attributes:
        flow: times; doubles are replies that share their penstock-source with an earlier one, and wrong are those whose
            value is not what the version that they name makes of the request.
        stream, key: of each request.
        version: that answered it first; 0 where none did, or it failed.
        errors: how many error replies there were, by their code.
    """

    flow: Flow
    stream: Whole
    key: Whole
    version: Whole
    errors: Mapping[str, int]

    def of_stream(self, stream: int) -> Flow:
        """Return the requests of one stream, without the counts of faults; an error is no answer here."""
        inside = self.stream == stream
        answered = np.where(self.version > 0, self.flow.came, np.nan)
        return Flow(self.flow.due[inside], self.flow.left[inside], answered[inside])

    def counts(self) -> dict[str, Any]:
        """Return what is counted of any run, for its figures."""
        flow = self.flow
        return {
            "requests": len(flow.due),
            "failed": sum(self.errors.values()),
            "errors": dict(self.errors),
            "lost": flow.unanswered,
            "doubles": flow.doubles,
            "wrong": flow.wrong,
            "sent_per_s": flow.sent_per_s,
            "late_p99_ms": flow.late_p99_s * 1000,
        }


def answers_of(requests: Sequence[Request], replies: Iterable[Reply]) -> Answers:
    """Put requests and replies together; replies to other requests are passed over."""
    came = np.full(len(requests), np.nan)
    version = np.zeros(len(requests), dtype=np.int64)
    sources: set[bytes] = set()
    errors: Counter[str] = Counter()
    doubles = wrong = 0
    for reply in replies:
        if not 0 <= reply.number < len(requests):
            continue
        errors.update([reply.error] if reply.y is None else [])
        wrong += reply.y is not None and reply.y != reply.number + reply.version * STEP
        doubles += reply.source in sources
        sources.add(reply.source)
        if np.isnan(came[reply.number]):
            came[reply.number], version[reply.number] = reply.at, reply.version
    due, left = (np.array([each[place] for each in requests], dtype=np.float64) for place in (0, 1))
    stream, key = (np.array([each[place] for each in requests], dtype=np.int64) for place in (2, 3))
    return Answers(Flow(due, left, came, doubles, wrong), stream, key, version, errors)


def share_of_keys(answers: Answers, version: int, start: float, end: float) -> dict[str, Any]:
    """Count keys by the version that answered them, of requests that left and were answered within [start, end].

    Returns:
        keys: how many there were; of_version: those that this version has answered; both: those that two have.
    """
    flow = answers.flow
    inside = (flow.left >= start) & (flow.came <= end) & (answers.version > 0)
    pairs = np.unique(np.stack([answers.key[inside], answers.version[inside]]), axis=1)
    keys = len(np.unique(pairs[0]))
    return {"keys": keys, "of_version": int((pairs[1] == version).sum()), "both": pairs.shape[1] - keys}


def sigmas_off(of_version: int, keys: int, share: float) -> float:
    """Return how far a count of keys is from the share asked for, in standard deviations of a binomial draw."""
    off = abs(of_version - keys * share)
    sigma = math.sqrt(keys * share * (1.0 - share))
    return 0.0 if not off else off / sigma if sigma else math.inf


def within(flow: Flow, windows: Iterable[tuple[float, float]]) -> tuple[Flow, Flow]:
    """Return the requests that were due in one of these windows, and the others."""
    inside = np.zeros(len(flow.due), dtype=bool)
    for start, end in windows:
        inside |= (flow.due >= start) & (flow.due < end)
    found, others = (Flow(flow.due[some], flow.left[some], flow.came[some]) for some in (inside, ~inside))
    return found, others


def rate_between(came: Array, start: float, end: float) -> float:
    """Return the replies a second in [start, end)."""
    return float(((came >= start) & (came < end)).sum() / (end - start))


def rates(came: Array, start: float, end: float, step_s: float) -> list[float]:
    """Return the replies a second of each step from start to end."""
    return [rate_between(came, at, at + step_s) for at in np.arange(start, end - step_s / 2, step_s)]


def first_at_rate_s(came: Array, since: float, per_second: float, window_s: float = 0.5) -> float:
    """Return the seconds until the end of the first window with so many replies a second; infinite without one."""
    times = np.sort(came[came >= since])
    needed = max(1, math.ceil(per_second * window_s))
    if len(times) < needed:
        return math.inf
    spans = times[needed - 1 :] - times[: len(times) - needed + 1]
    found = np.flatnonzero(spans <= window_s)
    return float(times[found[0] + needed - 1] - since) if len(found) else math.inf
