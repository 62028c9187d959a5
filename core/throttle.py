"""How many rows may go now: a token bucket, and what it says of the wait. Pure: time comes in as `now`."""

import math
from typing import Final

_LOOK_S: Final = 0.05  # a bucket holds at least what comes in while nobody looks
_ROUNDING: Final = 1e-9


class TokenBucket:
    """Rows gather at a rate, up to a bound; what is taken beyond them is a debt, which is paid first.

    Over any time, rows taken are at most `burst + rate * time`, and one more where the burst is below one.

    Args:
        rate: rows a second; 0 lets nothing go.
        burst: rows that may gather.
        now: monotonic seconds. It is full then.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._at = now
        self._rate = rate
        self._most = self._tokens = _most(rate, burst)

    def __repr__(self) -> str:
        return f"<TokenBucket {self._tokens:.1f} of {self._most:.1f}, {self._rate:g} a second>"

    def change(self, rate: float, burst: float, now: float) -> None:
        """Go on at another rate; what has gathered stays, as far as the new bound lets it."""
        self._fill(now)
        self._rate, self._most = rate, _most(rate, burst)
        self._tokens = min(self._tokens, self._most)

    def available(self, now: float) -> int:
        """Return how many rows may go."""
        self._fill(now)
        spare = self._tokens - self._needed
        return 0 if self._rate <= 0 or spare < 0 else int(spare) + 1

    def take(self, rows: int, now: float) -> None:
        """Let rows go, be they there or not."""
        self._fill(now)
        self._tokens -= rows

    def next_due(self, now: float) -> float:
        """Return when a row may go, monotonic seconds; infinity when never."""
        if self.available(now):
            return now
        return now + (self._needed - self._tokens) / self._rate if self._rate > 0 else math.inf

    @property
    def _needed(self) -> float:
        # A bucket that never holds a whole row lets one go when it is full, and is in debt then.
        return min(1.0, self._most) - _ROUNDING

    def _fill(self, now: float) -> None:
        self._tokens = min(self._most, self._tokens + self._rate * max(0.0, now - self._at))
        self._at = max(self._at, now)


def _most(rate: float, burst: float) -> float:
    return max(burst, rate * _LOOK_S)
