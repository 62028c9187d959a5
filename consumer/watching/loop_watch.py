"""A thread that sees when the event loop is blocked, and says where.

While the loop does not turn, nobody sends heartbeats, and after the session's time the group gives the partitions to
somebody else. What blocks it is nearly always one call; a person needs its place in the code.
"""

import os
import sys
import threading
import time
import traceback
from typing import Final

from penstock.core.metrics import Metrics
from penstock.schemas.logger import Logger

log = Logger(__name__)

_LOOK_S: Final = 0.25
_TOLD_AFTER_S: Final = 2.0
_FRAMES: Final = 6
EXIT_BLOCKED: Final = 70  # EX_SOFTWARE of sysexits.h


class LoopWatch:
    """Watches one event loop.

    Args:
        metrics: where blocks are counted.

    Attributes:
        exit_after_s: ends the process when the loop was blocked for so long, since nothing else can help then; None,
            as at first, never does.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.exit_after_s: float | None = None
        self._loop_thread = threading.get_ident()
        self._turned = time.monotonic()
        self._told = False
        self._ended = threading.Event()

    def __repr__(self) -> str:
        return f"<LoopWatch silent for {self.silent_s:.1f} s>"

    @property
    def silent_s(self) -> float:
        """For how long the loop has not turned, in seconds."""
        return time.monotonic() - self._turned

    def start(self) -> None:
        """Watch the loop of this thread until `stop`."""
        self._loop_thread = threading.get_ident()
        self._turned = time.monotonic()
        threading.Thread(target=self._watch, name="penstock-loop-watch", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()

    def turn(self) -> None:
        """Note that the loop turns; called by it several times within the time after which it is taken for blocked."""
        silent_s, self._turned = self.silent_s, time.monotonic()
        if self._told:
            self._told = False
            log.warning("the event loop turns again", blocked_s=round(silent_s, 1))

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            silent_s = self.silent_s
            if silent_s >= _TOLD_AFTER_S and not self._told:
                self._told = True
                self._metrics.loop_blocks.inc()
                log.error("the event loop is blocked", blocked_s=round(silent_s, 1), at=self._place())
            if self.exit_after_s is not None and silent_s >= self.exit_after_s:
                log.error("the event loop stays blocked; the process ends", blocked_s=round(silent_s, 1))
                sys.stderr.flush()
                os._exit(EXIT_BLOCKED)  # nothing on the loop can be asked to end

    def _place(self) -> list[str]:
        """Return where the loop's thread is, the innermost call first."""
        frame = sys._current_frames().get(self._loop_thread)
        calls = traceback.extract_stack(frame, limit=None) if frame is not None else []
        return [f"{call.filename}:{call.lineno} {call.name}" for call in reversed(calls[-_FRAMES:])]
