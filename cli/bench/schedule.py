"""When requests should leave. Pure: it has no clock of its own."""

import math
from typing import Final

_BURSTS_PER_S: Final = 1000  # beyond this rate several leave together: a clock tells no finer reliably


class Schedule:
    """An even stream of requests. A request's due time depends on nothing that happens.

    Up to 1,000 a second each leaves alone; above that as many as are due leave together, each millisecond.

    Args:
        rate: requests a second.
        start: the first one's time, monotonic seconds.
        seconds: how long.
    """

    def __init__(self, rate: float, start: float, seconds: float) -> None:
        self._rate = rate
        self._start = start
        self._count = max(1, math.floor(rate * seconds + 1e-6))
        self._taken = 0

    def __repr__(self) -> str:
        return f"<Schedule {self._taken} of {self._count} at {self._rate:g}/s>"

    @property
    def left(self) -> int:
        """How many are still to leave."""
        return self._count - self._taken

    @property
    def due(self) -> float:
        """When the next one should leave."""
        return self._due(self._taken)

    def take(self, now: float) -> tuple[float, int]:
        """Take the next ones that share a due time, if that has come.

        Returns:
            Their due time, and how many; 0 where it has not come, or none is left.
        """
        due = self.due
        if not self.left or due > now:
            return due, 0
        count = 1
        while count < self.left and self._due(self._taken + count) == due:
            count += 1
        self._taken += count
        return due, count

    def _due(self, number: int) -> float:
        after_s = number / self._rate
        if self._rate > _BURSTS_PER_S:
            after_s = math.floor(after_s * _BURSTS_PER_S + 1e-6) / _BURSTS_PER_S
        return self._start + after_s
