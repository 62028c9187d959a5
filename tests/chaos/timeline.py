"""What happened when: said as it goes, and drawn when somebody has to look at it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_SAMPLE_S: Final = 0.5
_MIB: Final = 2**20


@dataclass(frozen=True)
class Sample:
    """The state of a run at a moment: seconds since its start, requests taken and answered, bytes of all workers."""

    at_s: float
    sent: int
    answered: int
    memory: int

    @property
    def lag(self) -> int:
        """Requests without an outcome."""
        return self.sent - self.answered


class TimeLine:
    """Events and samples of one run. An async context manager: samples are taken inside.

    Args:
        say: gets each event as a line.
        measure: returns requests taken, requests answered and the workers' memory.

    Attributes:
        marks: seconds since the start, and what was done.
        samples: twice a second.
    """

    def __init__(self, say: Callable[[str], None], measure: Callable[[], tuple[int, int, int]]) -> None:
        self.marks: list[tuple[float, str]] = []
        self.samples: list[Sample] = []
        self._say, self._measure = say, measure
        self._start = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "TimeLine":
        self._task = asyncio.create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def mark(self, what: str) -> None:
        """Say that something was done."""
        self.marks.append((self.now_s, what))
        self._say(f"    {self.now_s:6.1f} s  {what}")

    def most_memory(self) -> tuple[int, int]:
        """Return the workers' bytes at the first event, and the most of any moment later."""
        first = self.marks[0][0] if self.marks else 0.0
        before = [each.memory for each in self.samples if each.at_s <= first] or [0]
        return before[-1], max([each.memory for each in self.samples if each.at_s >= first], default=0)

    def draw(self, path: Path, title: str) -> None:
        """Draw lag, outcomes a second and memory over time, with every event."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12, 8), layout="constrained")
        axes = figure.subplots(3, 1, sharex=True)
        times = [each.at_s for each in self.samples]
        self._plot(axes[0], times, [each.lag for each in self.samples], "requests without outcome")
        pairs = list(zip(self.samples, self.samples[1:], strict=False))
        rates = [(b.answered - a.answered) / max(b.at_s - a.at_s, 1e-9) for a, b in pairs]
        self._plot(axes[1], times[1:], rates, "outcomes a second")
        self._plot(axes[2], times, [each.memory / _MIB for each in self.samples], "workers' memory, MiB")
        axes[2].set_xlabel("seconds")
        for at, what in self.marks:
            axes[0].annotate(
                what, (at, axes[0].get_ylim()[1]), rotation=45, fontsize=7, va="bottom", annotation_clip=False
            )
        axes[0].set_title(title, loc="left", pad=110)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100)

    def _plot(self, axis: Any, times: list[float], values: list[Any], label: str) -> None:
        axis.plot(times, values, linewidth=1)
        axis.set_ylabel(label)
        for at, _ in self.marks:
            axis.axvline(at, color="tab:red", linewidth=0.6, alpha=0.6)

    async def _sample(self) -> None:
        while True:
            self.samples.append(Sample(self.now_s, *self._measure()))
            await asyncio.sleep(_SAMPLE_S)
