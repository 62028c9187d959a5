"""The lines of the demo: a step's name at once, what came of it and its seconds when it is done.

On a terminal something turns, or a bar grows, while a step takes its time.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from penstock.cli.terminal import err, progress

_NAME_WIDTH: Final = 15
_RESULT_WIDTH: Final = 57
_DRAW_EVERY_S: Final = 0.1


@dataclass(slots=True)
class Step:
    """A step on its way.

    Attributes:
        result: what is printed in the end.
        advance: call it when one more of the step's total is done.
    """

    result: str
    advance: Callable[[], None]


class Steps:
    """Prints steps.

    Args:
        to: gets the lines.

    Attributes:
        taken_s: seconds of each step that has ended.
    """

    def __init__(self, to: TextIO) -> None:
        self._to = to
        # A moving line on standard error would write over a line that standard output has begun on the same terminal.
        self._moving = to.isatty() and sys.stderr.isatty()
        self.taken_s: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Steps {', '.join(self.taken_s)}>"

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Step]:
        """Show a step while the block lasts.

        Args:
            name: of the step.
            total: how many things there are to do in it; None where nobody counts.
        """
        start = time.monotonic()
        step = Step("failed", lambda: None)
        if not self._moving:
            print(f"{name:<{_NAME_WIDTH}} ", end="", file=self._to, flush=True)
        try:
            with self._movement(name, total) as step.advance:
                yield step
        except asyncio.CancelledError:
            step.result = "stopped"
            raise
        except BaseException:
            step.result = "failed"
            raise
        finally:
            self.taken_s[name] = seconds = time.monotonic() - start
            shown = f"{name:<{_NAME_WIDTH}} " if self._moving else ""
            print(f"{shown}{step.result:<{_RESULT_WIDTH}} {seconds:4.1f} s", file=self._to, flush=True)

    @contextmanager
    def _movement(self, name: str, total: int | None) -> Iterator[Callable[[], None]]:
        if not self._moving:
            yield lambda: None
        elif total is None:
            with progress(name):
                yield lambda: None
        else:
            with _bar(name, total) as advance:
                yield advance


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Draw a bar with what is done and how fast, from within `advance`: a thread that draws would show as latency."""
    columns = (
        SpinnerColumn(),
        TextColumn(f"{name:<{_NAME_WIDTH - 3}}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} a second"),
    )
    with Progress(*columns, console=err(), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(name, total=total, rate=0.0)
        start = drawn = time.monotonic()
        done = 0

        def advance() -> None:
            nonlocal done, drawn
            done += 1
            now = time.monotonic()
            if now - drawn >= _DRAW_EVERY_S:
                drawn = now
                bar.update(task, completed=done, rate=done / (now - start))
                bar.refresh()

        yield advance
