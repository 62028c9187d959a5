"""Latencies as a histogram in text. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_MOST_BUCKETS: Final = 10
# Where each power of ten is divided, the finest first. The eye finds its way by such numbers.
_SERIES: Final = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,))
_DECADES: Final = range(-7, 5)  # 100 ns to more than a day
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many values from `low_s` to below `high_s`, in seconds."""

    low_s: float
    high_s: float
    count: int

    @property
    def label(self) -> str:
        """The bounds for people, in milliseconds, or in seconds where the upper one is a second or more."""
        factor, unit = (1, "s") if self.high_s >= 1 else (1000, "ms")
        return f"{self.low_s * factor:g}-{self.high_s * factor:g} {unit}"


def buckets(latencies_s: Sequence[float]) -> list[Bucket]:
    """Sort latencies into buckets of a logarithmic scale: from the first that holds any to the last, ten at most."""
    if not latencies_s:
        return []
    found: list[Bucket] = []
    for series in _SERIES:
        edges = [float(f"{step}e{decade}") for decade in _DECADES for step in series]
        found = _between(edges, latencies_s)
        if len(found) <= _MOST_BUCKETS:
            break
    return found


def bars(found: Sequence[Bucket], width: int, *, plain: bool = False) -> list[str]:
    """Draw buckets, a line each: bounds, bar, count.

    Args:
        found: as `buckets` returns them.
        width: of a line; at least 30.
        plain: ASCII alone.
    """
    most = max((bucket.count for bucket in found), default=0)
    labels = max((len(bucket.label) for bucket in found), default=0)
    counts = len(f"{most:,}")
    room = width - labels - counts - 2
    return [
        f"{bucket.label:>{labels}} {_bar(bucket.count / most * room, plain):<{room}} {bucket.count:>{counts},}"
        for bucket in found
    ]


def _between(edges: Sequence[float], latencies_s: Sequence[float]) -> list[Bucket]:
    counts, _ = np.histogram(np.clip(latencies_s, edges[0], edges[-1]), edges)
    filled = np.flatnonzero(counts)
    return [Bucket(edges[at], edges[at + 1], int(counts[at])) for at in range(filled[0], filled[-1] + 1)]


def _bar(length: float, plain: bool) -> str:
    """Draw a bar of so many characters; what is there at all is seen."""
    if plain:
        return "#" * max(round(length), 1 if length else 0)
    whole, eighths = divmod(math.ceil(length * 8) if length < 1 else round(length * 8), 8)
    return "█" * whole + _EIGHTHS[eighths].strip()
