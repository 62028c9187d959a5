"""A thread for what loads models: it may take minutes, and must not hold up the event loop or the process's end."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from penstock.schemas.errors import ModelError, PenstockError

_T = TypeVar("_T")


async def in_loading_thread(work: Callable[[], _T], *, discard: Callable[[_T], object] = lambda _: None) -> _T:
    """Run something in a thread that does not outlive a process told to stop.

    Args:
        work: what is run.
        discard: gets what it returns, if the caller was cancelled meanwhile.

    Raises:
        PenstockError: what `work` raises; anything else it raises becomes a ModelError.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def run() -> None:
        try:
            call: partial[Any] = partial(_settle, done, work(), None, discard)
        except PenstockError as error:
            call = partial(_settle, done, None, error, discard)
        except BaseException as error:  # a model's code may call sys.exit(), which would end this thread unheard
            failure = ModelError(f"models could not be loaded: {error!r}")
            failure.__cause__ = error
            call = partial(_settle, done, None, failure, discard)
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(call)

    threading.Thread(target=run, name="penstock-loading", daemon=True).start()
    return await done


def _settle(
    done: "asyncio.Future[_T]", result: Any, error: PenstockError | None, discard: Callable[[_T], object]
) -> None:
    if done.cancelled():
        if error is None:
            discard(result)
    elif error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)
