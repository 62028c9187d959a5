"""One life of a model's process, as its parent sees it."""

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from penstock.core.isolation.channel import Channel
from penstock.core.model import Model, Signature
from penstock.schemas.errors import ModelCrashed

Opening = Callable[[], Model]  # picklable: a function of a module, or a partial of one

_START_S: Final = 600.0  # to load and to warm up: large models come over slow networks
_GONE_S: Final = 5.0  # for the kernel to collect a process whose end was seen


class ModelProcess:
    """A started process with a loaded model.

    Args:
        who: the model and its version, for messages.
        opening: called in the process; returns the model.

    Attributes:
        signature: what the model takes and gives.

    Raises:
        ModelError: the model cannot be loaded; ModelCrashed where its process died meanwhile.
    """

    def __init__(self, who: str, opening: Opening) -> None:
        self._who = who
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        # A session of its own, for Ctrl-C on a terminal is for the worker. Its standard input is that of nobody: a
        # worker's is its supervisor's pipe.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "penstock.core.isolation.child", str(theirs.fileno()), str(lifeline)],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), lifeline),
            start_new_session=True,
        )
        theirs.close()
        os.close(lifeline)
        self._channel = Channel(ours)
        try:
            self.signature: Signature = self._exchange("loading", _START_S, list(sys.path), pickle.dumps(opening))
        except BaseException:
            self.end(0.0)
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def run(self, inputs: dict[str, Any], timeout_s: float) -> Any:
        """Run a batch; see `Model.run`.

        Raises:
            ModelError: the model failed.
            ModelCrashed: its process died, or gave no answer within `timeout_s` and was killed.
        """
        return self._exchange("running", timeout_s, ("run", (inputs,)))

    def warm_up(self) -> None:
        """Warm the model up; see `Model.warm_up`. Raises: as `run`."""
        self._exchange("warming up", _START_S, ("warm_up", ()))

    def end(self, timeout_s: float) -> None:
        """Let the model close, and the process end, by a deadline; then kill it. Without effect on one that is gone."""
        self._channel.hang_up()
        self._collect(timeout_s)
        self._channel.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _exchange(self, doing: str, timeout_s: float, *messages: Any) -> Any:
        deadline = time.monotonic() + timeout_s
        try:
            for message in messages:
                self._channel.send(message, deadline)
            returned, error = self._channel.receive(deadline)
        except TimeoutError:
            self._collect(0.0)
            raise ModelCrashed(f"{self._who} gave no answer in {timeout_s:g} s of {doing}", None) from None
        except (EOFError, OSError):
            status = self._collect(_GONE_S)
            raise ModelCrashed(f"the process of {self._who} {_described(status)} while {doing}", status) from None
        if error is not None:
            raise error
        return returned

    def _collect(self, timeout_s: float) -> int:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        self._process.kill()
        return self._process.wait()


def _described(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"died of {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal has no name
        return f"died of signal {-status}"
