"""Outages: how long a model that cannot answer for now is waited for. Pure: time comes in as `now`."""

from dataclasses import dataclass
from typing import Final

_FIRST_PAUSE_S: Final = 0.1
_MAX_PAUSE_S: Final = 5.0


@dataclass(slots=True)
class _Outage:
    """Since when a model has not answered, monotonic seconds, and after which pause it is to be tried again."""

    since: float
    pause_s: float


class Outages:
    """Which models are being waited for.

    Args:
        budget_s: how long the batches of a model are tried again, from the first that failed. Later ones fail at once,
            until one runs.
    """

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self._outages: dict[str, _Outage] = {}

    def __repr__(self) -> str:
        return f"<Outages {sorted(self._outages)}>"

    def pause_s(self, model: str, now: float) -> float | None:
        """Return how long to wait before a model that has failed is tried again; None when it is not."""
        outage = self._outages.setdefault(model, _Outage(now, _FIRST_PAUSE_S))
        left_s = outage.since + self._budget_s - now
        if left_s <= 0:
            return None
        pause_s, outage.pause_s = min(outage.pause_s, left_s), min(2 * outage.pause_s, _MAX_PAUSE_S)
        return pause_s

    def over(self, model: str) -> None:
        """Learn that a model has answered."""
        self._outages.pop(model, None)
