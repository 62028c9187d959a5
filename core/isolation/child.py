"""The process of one model: loads it, and answers one question after another until its parent hangs up.

Run as `python -P -m penstock.core.isolation.child SOCKET LIFELINE`, two inherited file descriptors. The parent sends
its `sys.path`, then the pickle of a function that opens the model, and then pairs of a method and its arguments. Each
answer is a pair: what is returned, and None; or None, and the error. The first one returns the signature.
"""

import contextlib
import faulthandler
import fcntl
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from penstock.core.isolation.channel import Channel
from penstock.core.model import Model
from penstock.core.model_table import close_model
from penstock.schemas.errors import ModelError

Answer = tuple[Any, ModelError | None]


def main() -> None:
    """Serve the parent until it is gone."""
    faulthandler.enable()  # says on standard error where native code died
    # The worker decides when its model ends: after the drain, which whoever signals all processes has asked for.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _ignored)
    die_with(int(sys.argv[2]))
    with contextlib.suppress(OSError):  # where memory runs out, rather the model than its worker; Linux alone has it
        Path("/proc/self/oom_score_adj").write_text("500")
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    with contextlib.suppress(EOFError, OSError):
        sys.path[:] = channel.receive()
        _serve(channel, channel.receive())


def die_with(lifeline: int) -> None:
    """Have the kernel end this process when the other end of a pipe closes, whatever code runs then.

    A thread that reads the pipe would wait for the interpreter lock, and so for native code that hangs with it. Being
    told of the parent's death (PR_SET_PDEATHSIG) is told of its thread's: models are loaded by threads that end.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)  # which is to end
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _serve(channel: Channel, opening: bytes) -> None:
    opened, refusal = _tried(partial(_open, opening))
    if refusal is not None:
        channel.send((None, refusal))
        return
    model: Model = opened
    try:
        channel.send((model.signature, None))
        while True:
            method, arguments = channel.receive()
            _answer(channel, _tried(partial(getattr(model, method), *arguments)))
            del arguments  # a large batch need not stay until the next one
    finally:
        close_model(model)


def _open(opening: bytes) -> Model:
    model: Model = pickle.loads(opening)()  # noqa: S301  # our parent's
    return model


def _tried(work: Callable[[], Any]) -> Answer:
    """Return what the work returns, or why it returns nothing: text alone, for a cause need not be picklable."""
    try:
        return work(), None
    except ModelError as error:
        error.__cause__ = error.__context__ = None
        return None, error
    except BaseException as error:  # a model is somebody else's code, which may call sys.exit()
        return None, ModelError(f"{type(error).__name__} while running")


def _answer(channel: Channel, answer: Answer) -> None:
    try:
        channel.send(answer)
    except (EOFError, OSError):
        raise
    except Exception as error:  # nothing of it was sent: it is pickled before
        channel.send((None, ModelError(f"its outputs cannot be handed over: {type(error).__name__}")))


def _ignored(*_: object) -> None:
    """Do nothing."""


if __name__ == "__main__":
    main()
