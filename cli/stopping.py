"""Run asynchronous work until it ends, or until somebody wants it to end."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer

from penstock.cli.failures import STOPPED
from penstock.cli.terminal import say

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> T:
    """Run `work` on an event loop of its own and return its result.

    SIGINT and SIGTERM cancel it, so that it cleans up after itself; a second one breaks off the cleaning too.

    Args:
        work: what to do.
        loop_factory: makes the event loop; None leaves it to asyncio.

    Raises:
        typer.Exit: it was stopped; the status is 130.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_until_signal(work))


def run_until_stopped(work: Coroutine[Any, Any, object]) -> None:
    """Run `work` that has no end of its own: to stop it is its normal end, and no failure."""
    try:
        run(work)
    except typer.Exit as ended:
        if ended.exit_code != STOPPED:
            raise


async def _until_signal(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        say("Stopped.")
        raise typer.Exit(STOPPED) from None
