"""The layouts that a decoder knows: few, those of late first, and learnt without being led on by what never repeats."""

from typing import Final

from penstock.core.decoding.layout import Layout
from penstock.core.decoding.layout_learning import LayoutLearner

_MOST_PROVEN: Final = 8
_LONGEST_WAIT: Final = 1024
_WORTH: Final = 64  # requests that a layout must fit until it has saved as much time as it took to learn


class LayoutShelf:
    """Keeps layouts, those that fitted last in front, and one that has not fitted yet.

    Learning takes as long as reading dozens of requests. After each attempt twice as many requests as before must come
    that fit nothing until the next; a layout that has been worth it ends the waiting. So requests of which no two are
    spelt alike, or only a few in a row, cost little more than the general way.

    Args:
        learner: makes layouts.
    """

    def __init__(self, learner: LayoutLearner) -> None:
        self._learner = learner
        self._proven: list[Layout] = []
        self._new: Layout | None = None
        self._learnt: Layout | None = None  # the last one
        self._fits = 0  # requests that it fitted
        self._wait = 0  # requests that must come before the next attempt
        self._waited = 0

    def layouts(self) -> tuple[Layout, ...]:
        """Return what is known, the layout that fitted last first."""
        return tuple(self._proven) if self._new is None else (*self._proven, self._new)

    def fitted(self, layout: Layout, requests: int) -> None:
        """Note that a layout fitted requests it was not learnt from; the one that fitted longest ago makes room."""
        if layout is self._new:
            self._new = None
        if layout is self._learnt:
            self._fits += requests
            if self._fits >= _WORTH:
                self._wait = 0
        others = [each for each in self._proven if each is not layout]
        self._proven = [layout, *others[: _MOST_PROVEN - 1]]

    def learn(self, value: bytes) -> Layout | None:
        """Learn the layout of a request that fitted none, unless it is not time yet."""
        self._waited += 1
        if self._waited <= self._wait:
            return None
        self._waited, self._wait = 0, min(2 * self._wait + 1, _LONGEST_WAIT)
        layout = self._learner.learn(value)
        if layout is None or any(layout.same_as(known) for known in self._proven):
            return None
        self._new = self._learnt = layout
        self._fits = 0
        return layout
