"""Times in buckets: percentiles of any number of them, in memory that does not grow. Pure."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from penstock.schemas.tensors import Array

_RATIO: Final = 1.005  # of a bucket's ends: a percentile is right to a quarter of a per cent
_LOWEST_S: Final = 1e-6
_BUCKETS: Final = 4600  # up to 2.5 hours; what takes longer counts as that long, but for the maximum


class Spread(NamedTuple):
    """Percentiles of times in seconds; NaN where nothing was counted."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Histogram:
    """Counts times. The maximum is exact; percentiles, by nearest rank, are right to a quarter of a per cent.

    Attributes:
        count: how many.
        total_s: their sum.
        max_s: the longest; NaN without any.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self.max_s = math.nan
        self._min_s = math.nan
        self._buckets = np.zeros(_BUCKETS, dtype=np.int64)

    def __repr__(self) -> str:
        return f"<Histogram of {self.count} times>"

    def add(self, times_s: ArrayLike) -> None:
        """Count times, in seconds. What is below 0, as clocks may have it, is 0."""
        times = np.maximum(np.asarray(times_s, dtype=np.float64), 0.0)
        if not times.size:
            return
        np.add.at(self._buckets, _places(times), 1)
        self._took(times.size, float(times.sum()), float(times.min()), float(times.max()))

    def add_same(self, time_s: float, count: int) -> None:
        """Count one time so many times over."""
        if count < 1:
            return
        time_s = max(time_s, 0.0)
        self._buckets[_places(np.array([time_s]))[0]] += count
        self._took(count, time_s * count, time_s, time_s)

    @property
    def mean_s(self) -> float:
        """The mean; NaN without any."""
        return self.total_s / self.count if self.count else math.nan

    def percentile_s(self, share: float) -> float:
        """Return the time that `share` per cent of all do not exceed; NaN without any."""
        if not self.count:
            return math.nan
        # A product such as 99.9 % of 1000 may come out a hair above the whole number that is meant.
        rank = min(self.count, max(1, math.ceil(share * self.count / 100 - 1e-9)))
        if rank == self.count:
            return self.max_s
        place = int(np.searchsorted(np.cumsum(self._buckets), rank))
        return float(min(max(_middle_s(place), self._min_s), self.max_s))

    def spread(self) -> Spread:
        """Return the percentiles that are reported."""
        p50, p90, p99, p999 = (self.percentile_s(share) for share in (50, 90, 99, 99.9))
        return Spread(p50, p90, p99, p999, self.max_s)

    def count_over(self, limit_s: float) -> int:
        """Return how many surely took longer; those in the limit's own bucket do not count."""
        return int(self._buckets[int(_places(np.array([limit_s]))[0]) + 1 :].sum())

    def filled(self) -> tuple[Array, Array]:
        """Return the middle of each bucket that is not empty, in seconds, and its count, both of shape [buckets]."""
        places = np.flatnonzero(self._buckets)
        return _LOWEST_S * _RATIO ** (places + 0.5), self._buckets[places]

    def _took(self, count: int, total_s: float, lowest_s: float, highest_s: float) -> None:
        self.count += count
        self.total_s += total_s
        self._min_s = lowest_s if math.isnan(self._min_s) else min(self._min_s, lowest_s)
        self.max_s = highest_s if math.isnan(self.max_s) else max(self.max_s, highest_s)


def _places(times_s: Array) -> Array:
    """Return the buckets of times, shape as given."""
    logs = np.log(np.maximum(times_s, _LOWEST_S) / _LOWEST_S) / math.log(_RATIO)
    return np.minimum(logs.astype(np.int64), _BUCKETS - 1)


def _middle_s(place: int) -> float:
    return float(_LOWEST_S * _RATIO ** (place + 0.5))
