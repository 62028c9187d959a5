"""From two looks at a process to what it did between them. Pure."""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from penstock.cli.pages.sample import Histogram, Sample

K = TypeVar("K", bound=Hashable)

_NONE: Final = Histogram()


@dataclass(frozen=True, slots=True)
class Work:
    """What one process did between two looks; for the attributes see `Sample`.

    Attributes:
        seconds: between the looks.
        cpu_s: seconds of processor time; None where the page does not say.
    """

    seconds: float
    requests: Mapping[tuple[str, str], float] = field(default_factory=dict)
    dead_letters: Mapping[str, float] = field(default_factory=dict)
    batch_rows: Mapping[str, Histogram] = field(default_factory=dict)
    inference: Mapping[str, Histogram] = field(default_factory=dict)
    queue: Histogram = _NONE
    publish: Histogram = _NONE
    cpu_s: float | None = None


def work_between(before: Sample, after: Sample) -> Work:
    """Return what happened between two looks at one place.

    Another process there, or a counter that has fallen, is a process that began anew: then all that it has counted
    happened in between.
    """
    anew = before.identity != after.identity or any(
        after.requests.get(key, 0.0) < count for key, count in before.requests.items()
    )
    old = Sample(before.url, before.at) if anew else before
    cpu_s = after.gauges.get("cpu_s")
    return Work(
        seconds=max(after.at - before.at, 1e-9),
        requests=_grown(old.requests, after.requests),
        dead_letters=_grown(old.dead_letters, after.dead_letters),
        batch_rows=_each_grown(old.batch_rows, after.batch_rows),
        inference=_each_grown(old.inference, after.inference),
        queue=minus(after.queue, old.queue),
        publish=minus(after.publish, old.publish),
        cpu_s=None if cpu_s is None else max(0.0, cpu_s - old.gauges.get("cpu_s", 0.0)),
    )


def minus(after: Histogram, before: Histogram) -> Histogram:
    """Return the observations that came later; all of `after`'s where the two do not follow from one another."""
    if after.bounds != before.bounds or any(new < old for new, old in zip(after.counts, before.counts, strict=True)):
        return after
    counts = tuple(new - old for new, old in zip(after.counts, before.counts, strict=True))
    return Histogram(after.bounds, counts, after.sum - before.sum)


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Return all observations in one histogram; other bounds than the first one's are left out."""
    whole = _NONE
    for each in histograms:
        if not whole.bounds:
            whole = each
        elif each.bounds == whole.bounds:
            counts = tuple(one + other for one, other in zip(whole.counts, each.counts, strict=True))
            whole = Histogram(whole.bounds, counts, whole.sum + each.sum)
    return whole


def quantile(histogram: Histogram, share: float) -> float | None:
    """Return about where this share of the observations lies at or below; None without observations.

    Inside a bucket observations are taken to be spread evenly; beyond the last finite bound that bound is returned.
    As Prometheus' `histogram_quantile` does it.
    """
    if not histogram.count:
        return None
    wanted = share * histogram.count
    place = next(place for place, count in enumerate(histogram.counts) if count >= wanted)
    if place == len(histogram.bounds) - 1:
        return histogram.bounds[place - 1] if place else None
    low, under = (histogram.bounds[place - 1], histogram.counts[place - 1]) if place else (0.0, 0.0)
    inside = histogram.counts[place] - under
    return low + (histogram.bounds[place] - low) * ((wanted - under) / inside if inside else 1.0)


def not_exceeded(histogram: Histogram, share: float) -> float | None:
    """Return the bound that this share of the observations does not exceed; None without one, or observations."""
    wanted = share * histogram.count
    bounds = (bound for bound, count in zip(histogram.bounds, histogram.counts, strict=True) if count >= wanted)
    bound = next(bounds, math.inf) if histogram.count else math.inf
    return bound if math.isfinite(bound) else None


def mean(histogram: Histogram) -> float | None:
    """Return the mean of the observations; None without any."""
    return histogram.sum / histogram.count if histogram.count else None


def _grown(before: Mapping[K, float], after: Mapping[K, float]) -> dict[K, float]:
    return {key: max(0.0, count - before.get(key, 0.0)) for key, count in after.items()}


def _each_grown(before: Mapping[str, Histogram], after: Mapping[str, Histogram]) -> dict[str, Histogram]:
    return {key: minus(each, before.get(key, _NONE)) for key, each in after.items()}
