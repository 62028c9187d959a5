"""The `penstock` command on a terminal of a given size, and what is seen on it."""

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import termios
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import pyte

from tests.support.command import COMMAND, environment
from tests.support.waiting import until


class PseudoTerminal:
    """Runs a command on a terminal of its own, whose screen is kept in memory. An async context manager.

    Attributes:
        written: everything that the command wrote, byte for byte.
    """

    def __init__(
        self, *arguments: object, columns: int, lines: int, variables: Mapping[str, object] | None = None
    ) -> None:
        self._command = [*COMMAND, *map(str, arguments)]
        self._variables = variables or {}
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._outer = self._inner = -1
        self._process: asyncio.subprocess.Process | None = None
        self.written = b""

    async def __aenter__(self) -> Self:
        self._outer, self._inner = pty.openpty()
        self.resize(self._screen.columns, self._screen.lines)
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            # The size is the terminal's own; these two would win over it.
            env={**environment(self._variables), "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            cwd="/",
            stdin=self._inner,
            stdout=self._inner,
            stderr=self._inner,
            start_new_session=True,
        )
        asyncio.get_running_loop().add_reader(self._outer, self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._outer)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        os.close(self._outer)
        os.close(self._inner)

    def _read(self) -> None:
        more = os.read(self._outer, 65_536)
        self.written += more
        self._stream.feed(more)

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def modes(self) -> list[Any]:
        """How the terminal treats what is typed, without the bit that the system itself sets and clears."""
        modes = termios.tcgetattr(self._inner)
        modes[3] &= ~getattr(termios, "PENDIN", 0)
        return modes

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._outer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if self._process is not None:
            self._process.send_signal(signal.SIGWINCH)

    def type(self, keys: str) -> None:
        os.write(self._outer, keys.encode())

    def interrupt(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    async def shows(self, *wanted: str, within_s: float = 20.0) -> None:
        """Wait until all of this is on the screen."""
        await until(
            lambda: all(each in self.text for each in wanted), within_s=within_s, what=lambda: f"{wanted}:\n{self.text}"
        )

    async def status(self, within_s: float = 10.0) -> int:
        """Wait for the command's end and return its exit status."""
        assert self._process is not None
        status = await asyncio.wait_for(self._process.wait(), within_s)
        while select.select([self._outer], [], [], 0)[0]:  # what it wrote last is read
            self._read()
        return status
