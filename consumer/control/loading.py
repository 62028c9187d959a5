"""Loads with a deadline: a file that never opens, or a warm-up that never ends, holds the other models up no longer.

Nothing can end a thread. One that is not back by its deadline is left to itself: what it still brings is thrown away,
and the same is not begun again before that. Only so many may hang; then nothing is begun until one ends, or the worker
is restarted.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from penstock.consumer.loading_thread import in_loading_thread
from penstock.schemas.errors import ModelError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_T = TypeVar("_T")

MOST_HANGING: Final = 8


class Loading:
    """Runs what loads models, or asks the store, in threads.

    Args:
        timeout_s: the deadline of each.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._hanging: dict[str, tuple[asyncio.Task[Any], float]] = {}  # since when, monotonic seconds

    def __repr__(self) -> str:
        return f"<Loading, {len(self._hanging)} hang>"

    async def run(self, what: str, work: Callable[[], _T], *, discard: Callable[[_T], object] = lambda _: None) -> _T:
        """Return what some work returns.

        Args:
            what: the work is, as "loading iris@3"; the same has the same words.
            work: run in a thread.
            discard: gets what it returns when nobody waits for it any more.

        Raises:
            ModelError: it has not ended in time, or an earlier one of its kind has not, or too many have not.
            PenstockError: what `work` raises.
        """
        self._check(what)
        began = time.monotonic()
        task = asyncio.create_task(in_loading_thread(work, discard=discard), name=what)
        try:
            await asyncio.wait({task}, timeout=self._timeout_s)
        except BaseException:
            task.cancel()
            raise
        if task.done():
            return task.result()
        self._hanging[what] = task, began
        task.add_done_callback(partial(self._came_back, what, discard))
        raise ModelError(
            f"{what} took longer than {self._timeout_s:g} s (control.load_timeout_s). "
            "It goes on in a thread that nothing can end: restart the worker if it hangs"
        )

    def close(self) -> None:
        """Wait for nothing any more."""
        for task, _ in self._hanging.values():
            task.cancel()

    def _check(self, what: str) -> None:
        if what in self._hanging:
            so_far_s = time.monotonic() - self._hanging[what][1]
            raise ModelError(f"{what} has not ended in {so_far_s:.0f} s: restart the worker if it hangs")
        if len(self._hanging) >= MOST_HANGING:
            raise ModelError(f"{what} is not begun: {MOST_HANGING} others hang in this worker, restart it")

    def _came_back(self, what: str, discard: Callable[[_T], object], task: "asyncio.Task[_T]") -> None:
        _, began = self._hanging.pop(what)
        if task.cancelled():
            return
        error = task.exception()
        log.warning("it ended after its deadline", what=what, took_s=round(time.monotonic() - began, 1), error=error)
        if error is None:
            discard(task.result())
