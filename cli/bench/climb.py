"""Which rate a ramp tries next. Pure."""

from dataclasses import dataclass, field
from typing import Final

_CLOSE: Final = 1.05  # rates nearer than that are the same one, as repeated measurements differ


@dataclass(frozen=True, slots=True)
class Steps:
    """How a ramp goes up.

    Attributes:
        first: the first rate, requests a second.
        factor: from one rate to the next.
        step: added in place of it; None multiplies.
        up_to: the highest rate; None is no bound.
        halvings: rates tried between the highest that held and the lowest that did not.
    """

    first: float
    factor: float = 2.0
    step: float | None = None
    up_to: float | None = None
    halvings: int = 3


@dataclass(slots=True)
class Climb:
    """Goes up until a rate does not hold, then halves what lies between.

    Attributes:
        steps: how.
        held: the highest rate that held; None as long as there is none.
        broken: the lowest that did not.
        over: there is nothing more to try.
    """

    steps: Steps
    held: float | None = None
    broken: float | None = None
    over: bool = False
    _halved: int = field(default=0)

    def next(self) -> float | None:
        """Return the next rate; None at the end."""
        if self.over:
            return None
        if self.broken is None:
            return self._higher()
        low = self.held or 0.0
        if self._halved >= self.steps.halvings or self.broken < low * _CLOSE:
            return None
        middle = _rounded((low + self.broken) / 2)
        return middle if low < middle < self.broken else None

    def took(self, rate: float, *, held: bool) -> None:
        """Take in what became of a rate."""
        self._halved += self.broken is not None
        if held:
            self.held = max(rate, self.held or 0.0)
        else:
            self.broken = rate if self.broken is None else min(rate, self.broken)

    def _higher(self) -> float | None:
        up_to = self.steps.up_to
        if self.held is None:
            return self.steps.first if up_to is None else min(self.steps.first, up_to)
        if up_to is not None and self.held >= up_to:
            return None
        higher = self.held * self.steps.factor if self.steps.step is None else self.held + self.steps.step
        return higher if up_to is None else min(higher, up_to)


def _rounded(rate: float) -> float:
    """Return a rate as people say it: three digits."""
    return float(f"{rate:.3g}")
