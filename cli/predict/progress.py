"""A progress bar for what mostly ends before anybody would look at one."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from penstock.cli.predict.rows import Source
from penstock.cli.terminal import progress

_PATIENCE_S: Final = 1.0


class LateBar:
    """Shows how many rows are done, once that has taken a second. An async context manager.

    Args:
        what: is being done.
        source: says how many rows there are, as soon as it is asked for the second one.
    """

    def __init__(self, what: str, source: Source) -> None:
        self._what = what
        self._source = source
        self._done = 0
        self._stack = contextlib.ExitStack()
        self._later: asyncio.Task[None] | None = None
        self._advance: Callable[[float], None] = _nothing

    async def __aenter__(self) -> Self:
        self._later = asyncio.create_task(self._show())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def advance(self, rows: int) -> None:
        """Count rows that are done."""
        self._done += rows
        self._advance(rows)

    def make_way(self) -> None:
        """Vanish for good if what is about to be printed goes to the same terminal."""
        if sys.stdout.isatty():
            self.hide()

    def hide(self) -> None:
        """Vanish for good."""
        if self._later is not None:
            self._later.cancel()
        self._advance = _nothing
        self._stack.close()

    async def _show(self) -> None:
        await asyncio.sleep(_PATIENCE_S)
        self._advance = self._stack.enter_context(progress(self._what, self._source.total))
        self._advance(self._done)


def _nothing(_: float) -> None:
    pass
