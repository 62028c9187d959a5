"""Whose turn it is, where several have work and each is to get its weight's part. Pure.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): each has a clock that advances by what it took, divided by its
weight, and the one whose clock is behind is next. Who has nothing to do saves nothing up.
"""

from collections.abc import Mapping, Set
from typing import Final

_MOST_SAVED: Final = 10_000.0  # rows at weight 1: nobody is further behind, or the others would stand still for it


class WeightedTurns:
    """Orders names by what they have had.

    What a name takes is told by `took`; clocks of names that are gone are forgotten by `order`.
    """

    def __init__(self) -> None:
        self._clocks: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<WeightedTurns {self._clocks}>"

    def order(self, names: Set[str], busy: Set[str]) -> list[str]:
        """Return names, the one to be served first in front.

        Args:
            names: whose turn it may be.
            busy: those of them that are known to have work.
        """
        clocks = {name: self._clocks.get(name, 0.0) for name in sorted(names)}
        waiting = [clocks[name] for name in clocks if name in busy] or list(clocks.values())
        slowest, fastest = min(waiting, default=0.0), max(clocks.values(), default=0.0)
        for name, clock in clocks.items():
            clocks[name] = max(clock, fastest - _MOST_SAVED, 0.0 if name in busy else slowest)
        self._clocks = clocks
        return sorted(clocks, key=lambda name: (clocks[name], name not in busy))

    def took(self, name: str, rows: int, weights: Mapping[str, int]) -> None:
        """Count rows that a name has taken; its weight is 1 unless `weights` says otherwise."""
        if name in self._clocks:
            self._clocks[name] += rows / weights.get(name, 1)
