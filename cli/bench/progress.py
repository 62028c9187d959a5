"""What is seen while a load runs: a line that changes on a terminal, else a line now and then."""

import asyncio
import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from rich.live import Live
from rich.text import Text

from penstock.cli.bench.load import Figures
from penstock.cli.bench.measuring import Measuring
from penstock.cli.bench.verdict import Verdict
from penstock.cli.figures import counted, duration
from penstock.cli.terminal import err, say
from penstock.cli.top.figures import count, per_second

_QUIET_S: Final = 1.0  # between lines where there is no terminal, at least
_MOST_LINES: Final = 20  # of one load


class Progress:
    """Draws in a thread, so that requests leave meanwhile. A context manager: on a terminal it leaves nothing behind.

    Args:
        shown_s: of one load, in seconds; without a terminal it makes a bounded number of lines.
    """

    def __init__(self, shown_s: float) -> None:
        self._every_s = max(_QUIET_S, shown_s / _MOST_LINES)
        self._said = time.monotonic()
        self._console = err()
        self._live: Live | None = None
        self._stack = ExitStack()
        self._drawing = threading.Lock()
        self._ended: list[str] = []

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live = self._stack.enter_context(live)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._drawing:
            self._live = None
            self._stack.close()

    def say(self, what: str) -> None:
        """Tell what goes on, on a terminal alone."""
        self._draw(what)

    async def show(self, measuring: Measuring) -> None:
        """Show how far a load is."""
        if self._live is not None:
            await asyncio.to_thread(self._draw, line_of(measuring))
        elif time.monotonic() - self._said >= self._every_s:
            self._said = time.monotonic()
            say(line_of(measuring))

    def ended(self, figures: Figures, verdict: Verdict) -> None:
        """Show what became of a step of a ramp."""
        line = step_line(figures, verdict)
        self._ended.append(line)
        if self._live is None:
            say(line)
        else:
            self._draw("")

    def _draw(self, line: str) -> None:
        with self._drawing:
            if self._live is not None:
                text = "\n".join([*self._ended[-10:], line])
                self._live.update(Text(text, overflow="ellipsis", no_wrap=True), refresh=True)


def line_of(measuring: Measuring) -> str:
    """Return how far a load is, in a line."""
    load, recorder = measuring.load, measuring.recorder
    what = f"{per_second(load.rate)} wanted" if load.rate is not None else f"{count(load.concurrency)} at once"
    elapsed_s = measuring.elapsed_s
    if elapsed_s < 0:
        return f"warming up   {what}   {count(measuring.in_flight)} in flight"
    recent = recorder.recent()
    per_s = 1 / recorder.window_s
    figures = f"{per_second(recent.answered * per_s)} answered   p99 {duration(recent.latency.p99)}"
    failed = f"   {counted(recorder.failed, 'failure')}" if recorder.failed else ""
    place = f"{min(elapsed_s, load.seconds):.0f} of {load.seconds:g} s"
    return f"{place}   {what}   {figures}   {count(measuring.in_flight)} in flight{failed}"


def step_line(figures: Figures, verdict: Verdict) -> str:
    """Return what became of a step of a ramp, in a line."""
    found = "held" if verdict.held else f"broken: {verdict.reason}"
    return f"{per_second(figures.load.rate):>9}   p99 {duration(figures.latency.percentile_s(99)):>7}   {found}"
