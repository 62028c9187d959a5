"""What is measured of one load, while it runs. Pure: whoever calls says what time it is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.cli.bench.flights import Leaving
from penstock.cli.bench.histogram import Histogram, Spread

_MOST_WINDOWS: Final = 600


@dataclass(frozen=True, slots=True)
class Window:
    """A second of the load, or more of a long one: what left, and what came, in it.

    Attributes:
        at_s: its beginning, in seconds since measuring began.
        sent, answered, failed: requests that left, answers, and errors or lost requests.
        latency: of the answers.
    """

    at_s: float
    sent: int
    answered: int
    failed: int
    latency: Spread


class Recorder:
    """Counts and times of the requests that were due since `measured_from`; those of the warm-up are left out.

    Args:
        measured_from: monotonic seconds.
        seconds: for how long requests are sent from then on.

    Attributes:
        sent: requests that have left.
        answered: with an answer.
        errors: with an error, by its code.
        messages: the first message of each code.
        lost: without a reply by their deadline.
        latency: from when an answered request should have left.
        service: from when it did leave: without what the generator was late.
        late: how late requests left.
        acknowledged: how long Kafka took to take a batch of requests, each request counted.
        silent: lost requests since the last reply, of the warm-up too.
        last_reply: monotonic seconds, of the warm-up too; the beginning where there is none.
    """

    def __init__(self, measured_from: float, seconds: float) -> None:
        self.measured_from = measured_from
        self.sent = 0
        self.answered = 0
        self.errors: Counter[str] = Counter()
        self.messages: dict[str, str] = {}
        self.lost = 0
        self.latency = Histogram()
        self.service = Histogram()
        self.late = Histogram()
        self.acknowledged = Histogram()
        self.silent = 0
        self.last_reply = measured_from
        self._window_s = max(1.0, round(seconds / _MOST_WINDOWS))
        self._windows: list[Window] = []
        self._place = 0
        self._latency = Histogram()
        self._begin = (0, 0, 0)

    def __repr__(self) -> str:
        return f"<Recorder {self.sent} sent, {self.answered} answered, {self.failed} failed>"

    @property
    def failed(self) -> int:
        """Errors and lost requests."""
        return self.errors.total() + self.lost

    @property
    def failed_share(self) -> float:
        """Their part of all whose fate is known, 0 to 1."""
        known = self.answered + self.failed
        return self.failed / known if known else 0.0

    def leave(self, leaving: Leaving, count: int) -> None:
        """Count requests that left together."""
        if leaving.due >= self.measured_from:
            self._roll(leaving.left)
            self.sent += count
            self.late.add_same(leaving.left - leaving.due, count)

    def answer(self, leavings: Sequence[Leaving], now: float) -> None:
        """Count answers that came together."""
        self.silent, self.last_reply = 0, now
        counted = [leaving for leaving in leavings if leaving.due >= self.measured_from]
        if not counted:
            return
        self._roll(now)
        self.answered += len(counted)
        times = now - np.array(counted)  # shape [answers, 2]: since it was due, since it left
        self.latency.add(times[:, 0])
        self._latency.add(times[:, 0])
        self.service.add(times[:, 1])

    def fail(self, leaving: Leaving, code: str, message: str, now: float) -> None:
        """Count an error."""
        self.silent, self.last_reply = 0, now
        if leaving.due >= self.measured_from:
            self._roll(now)
            self.errors[code] += 1
            self.messages.setdefault(code, message)

    def lose(self, leavings: Sequence[Leaving], now: float) -> None:
        """Count requests whose deadline has passed."""
        self.silent += len(leavings)
        self._roll(now)
        self.lost += sum(leaving.due >= self.measured_from for leaving in leavings)

    def acknowledge(self, count: int, took_s: float, now: float) -> None:
        """Count requests that Kafka took together."""
        if now >= self.measured_from:
            self.acknowledged.add_same(took_s, count)

    def windows(self) -> tuple[Window, ...]:
        """Return the timeline up to now, the last window as far as it has come."""
        return (*self._windows, self._window())

    def recent(self) -> Window:
        """Return the newest window that is whole, else the one that has begun."""
        return self._windows[-1] if self._windows else self._window()

    @property
    def window_s(self) -> float:
        """The length of a window in seconds."""
        return self._window_s

    def _roll(self, now: float) -> None:
        """Close the windows that are over."""
        place = int((now - self.measured_from) // self._window_s)
        while self._place < place:
            self._windows.append(self._window())
            self._place += 1
            self._latency = Histogram()
            self._begin = (self.sent, self.answered, self.failed)

    def _window(self) -> Window:
        sent, answered, failed = self._begin
        at_s = self._place * self._window_s
        now = (self.sent - sent, self.answered - answered, self.failed - failed)
        return Window(at_s, *now, self._latency.spread())
