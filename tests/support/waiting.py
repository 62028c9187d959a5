"""Waiting for a condition, with a deadline."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def until(
    condition: Callable[[], Any],
    *,
    within_s: float = 20.0,
    every_s: float = 0.02,
    what: str | Callable[[], str] = "",
) -> Any:
    """Return the condition's first true value. It may be a coroutine function.

    Args:
        condition: asked again and again.
        within_s: the deadline.
        every_s: the pause between.
        what: what is waited for, or a function that says it when the deadline has passed.

    Raises:
        AssertionError: it never was true.
    """
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {within_s:g} s: {said or inspect.getsource(condition).strip()}")
        await asyncio.sleep(every_s)
