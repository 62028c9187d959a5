"""Processes that end when the demo does, however that ends.

Each runs under the broker's guard (`broker/guard.py`), which holds a pipe from here: when it closes, even by SIGKILL,
the process is killed and the demo's folder removed.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from penstock.broker import guard
from penstock.schemas.errors import PenstockError

_TAIL_BYTES: Final = 20_000


class DemoError(PenstockError):
    """The demo could not be carried through."""


class GuardedProcess:
    """A child process. One task starts and ends it.

    Args:
        arguments: of the Python interpreter.
        folder: of the demo; removed when the demo is killed, and where the process runs.
        log: file that gets what it prints.
        variables: environment variables beside the demo's own.
    """

    def __init__(
        self, arguments: Sequence[str], *, folder: Path, log: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self._arguments = tuple(arguments)
        self._folder = folder
        self._log = log
        self._variables = dict(variables or {})
        self._guard: asyncio.subprocess.Process | None = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"<GuardedProcess {' '.join(self._arguments[:3])} pid={self._pid}>"

    async def start(self) -> None:
        """Start the process."""
        with self._log.open("ab") as log:
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", guard.__file__, str(self._folder), sys.executable, *self._arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment(),
                cwd=self._folder,
                # Ctrl-C on a terminal reaches the whole foreground group, and is for the demo alone.
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        self._pid = int(await self._guard.stdout.readline() or 0)

    def _environment(self) -> dict[str, str]:
        # Settings of the user's are not the demo's. ONNX Runtime would report to its maker, and leave a file behind.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        return {"ORT_DISABLE_TELEMETRY": "1", **inherited, **self._variables}

    async def wait(self) -> int:
        """Wait for the end and return the exit status: above 128 for a signal."""
        return 0 if self._guard is None else await self._guard.wait()

    async def stop(self, within_s: float) -> None:
        """End the process in good order, by force when that takes longer than this."""
        if self._guard is None:
            return
        if self._guard.returncode is None and self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._guard.wait(), within_s)
        await self.kill()

    async def kill(self) -> None:
        """End the process by force. Does nothing where it has ended."""
        if self._guard is None or self._guard.stdin is None:
            return
        if not self._guard.stdin.is_closing():
            self._guard.stdin.write(b".")  # a byte before the end: the folder is still wanted
            self._guard.stdin.close()
        await self._guard.wait()

    def last_lines(self, count: int) -> str:
        """Return the end of what it printed; blocks shortly."""
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return "\n".join(line[:300] for line in lines[-count:])
