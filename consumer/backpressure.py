"""Back-pressure: when to stop fetching, and when to go on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may be in memory between fetch and acknowledgement.

    Attributes:
        max_bytes, max_rows: fetching is held above either.
        resume_fraction: and goes on when both are below this fraction. Pausing throws away what the client has
            prefetched, so the two are kept apart.
    """

    max_bytes: int
    max_rows: int
    resume_fraction: float = 0.5


class Valve:
    """Counts what is in memory and says whether fetching is to be held. Pure: the worker acts on it.

    `bytes`, `rows` and `held` change in `take_in` and `let_out` only.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.bytes = 0
        self.rows = 0
        self.held = False

    def __repr__(self) -> str:
        return f"<Valve {'held' if self.held else 'open'} {self.bytes} bytes, {self.rows} rows>"

    def take_in(self, rows: int, size: int) -> None:
        """Count requests that came in."""
        self.rows += rows
        self.bytes += size
        self._decide()

    def let_out(self, rows: int, size: int) -> None:
        """Count requests that are finished or given up."""
        self.rows -= rows
        self.bytes -= size
        self._decide()

    def _decide(self) -> None:
        fraction = self._bounds.resume_fraction if self.held else 1.0
        self.held = self.bytes > self._bounds.max_bytes * fraction or self.rows > self._bounds.max_rows * fraction
