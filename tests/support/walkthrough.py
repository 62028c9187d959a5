"""A page that one follows with a terminal or three, followed: its commands run, what it shows is compared.

A fenced block of `sh` holds commands, each a line. A comment before it says if it is more than typed and waited for:

    <!-- terminal 2, until: Ctrl-C -->   runs in a terminal of its own, on and on; the page goes on when it has
                                         printed that. What ran in that terminal before is interrupted first
    <!-- NAME -->                        any other: for the test to say what becomes of such blocks

A block of `text` after it is what was printed, or a part: a line of dots stands for lines left out, and dots at the
end of a line for its rest. Numbers may differ, and so may the space between words.
"""

import asyncio
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

from tests.support.waiting import until

_TERMINAL = re.compile(r"terminal (\d), until: (.+)")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")


@dataclass(frozen=True)
class Step:
    """One block of commands.

    Attributes:
        commands: each may hold several lines.
        marker: what the comment before it says; mostly nothing.
        shown: what the page says was printed.
        line: of the page, from 1.
    """

    commands: list[str]
    marker: str
    shown: str
    line: int

    @property
    def terminal(self) -> tuple[str, str] | None:
        """The terminal that the commands are for, and what ends the wait; None is the first one."""
        found = _TERMINAL.fullmatch(self.marker)
        return (found[1], found[2]) if found else None


def steps(page: str) -> list[Step]:
    """Take a page apart."""
    found: list[Step] = []
    marker = ""
    for token in MarkdownIt("commonmark").parse(page):
        if token.type == "html_block":
            marker = token.content.strip().removeprefix("<!--").removesuffix("-->").strip()
        elif token.type == "fence" and token.info == "sh":
            commands = token.content.replace("\\\n", "").strip().splitlines()
            found.append(Step(commands, marker, "", (token.map or [0])[0] + 1))
            marker = ""
        elif token.type == "fence" and token.info == "text" and found and not found[-1].shown:
            last = found.pop()
            found.append(Step(last.commands, last.marker, token.content, last.line))
        elif token.type == "heading_open":
            marker = ""
    return found


def not_printed(shown: str, printed: str) -> list[str]:
    """The lines of `shown` that `printed` does not have, in this order."""
    lines = iter([_normal(line) for line in printed.splitlines()])
    missing = []
    for line in filter(None, map(_normal, shown.splitlines())):
        if line == "...":
            continue
        start = line.removesuffix("...").rstrip() if line.endswith("...") else None
        if not any(each == line or (start is not None and each.startswith(start)) for each in lines):
            missing.append(line)
    return missing


def _normal(line: str) -> str:
    return re.sub(r"\d+([.,:]\d+)*", "0", " ".join(line.split()))


@dataclass
class Terminal:
    """A terminal with a program in it that goes on by itself."""

    process: "subprocess.Popen[bytes]"
    printed: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it shows, without colours."""
        return _ESCAPES.sub("", "".join(self.printed))


class Follower:
    """Does what a page says, in a folder, and remembers which folder each `cd` led to.

    Args:
        folder: where it begins.
        variables: of the commands.
        moved: texts that are other ones here, such as a port that is taken.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str], moved: Mapping[str, str]) -> None:
        self.folder = folder
        self._variables = dict(variables)
        self._moved = dict(moved)
        self._terminals: dict[str, Terminal] = {}

    async def follow(self, step: Step) -> str:
        """Run a step's commands and return what they printed.

        Raises:
            AssertionError: one failed, or printed something else than the page shows.
        """
        place = step.terminal
        if place is None:
            printed = "".join([await asyncio.to_thread(self._type, command) for command in step.commands])
        else:
            await self.interrupt(place[0])
            printed = await self._leave_running(step.commands, *place)
        missing = not_printed(self.here(step.shown), printed)
        assert not missing, f"line {step.line}: not printed are\n{missing}\nbut\n{printed}"
        return printed

    def here(self, text: str) -> str:
        """The text with what is other here."""
        for old, new in self._moved.items():
            text = text.replace(old, new)
        return text

    def _type(self, command: str) -> str:
        at = self.folder / ".at"
        ran = subprocess.run(
            ["sh", "-ec", f"{self.here(command)}\npwd > '{at}'"],
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, f"$ {command}\n{ran.stdout}"
        self.folder = Path(at.read_text().strip())
        at.unlink()
        return ran.stdout

    async def _leave_running(self, commands: list[str], name: str, seen: str) -> str:
        (command,) = commands
        terminal = self._terminals[name] = self._open(command)

        def shown() -> bool:
            assert terminal.process.poll() is None, f"$ {command}\n{terminal.text}"
            return self.here(seen) in terminal.text

        await until(shown, within_s=90, what=lambda: f"{seen!r} of {command!r}, but\n{terminal.text}")
        return terminal.text

    def _open(self, command: str) -> Terminal:
        master, slave = pty.openpty()
        process = subprocess.Popen(
            ["sh", "-c", f"exec {self.here(command)}"],
            cwd=self.folder,
            env=self._variables,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        terminal = Terminal(process)
        threading.Thread(target=_read, args=(master, terminal.printed), daemon=True).start()
        return terminal

    async def interrupt(self, name: str) -> None:
        """Press Ctrl-C in a terminal, and wait until its program has ended, well."""
        terminal = self._terminals.pop(name, None)
        if terminal is not None:
            assert terminal.process.poll() is None, terminal.text
            os.killpg(terminal.process.pid, signal.SIGINT)
            status = await asyncio.to_thread(terminal.process.wait, 60)
            assert status == 0, f"status {status}\n{terminal.text}"

    async def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        for terminal in self._terminals.values():
            if terminal.process.poll() is None:
                os.killpg(terminal.process.pid, signal.SIGKILL)
                await asyncio.to_thread(terminal.process.wait)


def _read(master: int, into: list[str]) -> None:
    try:
        while data := os.read(master, 65536):
            into.append(data.decode(errors="replace"))
    except OSError:  # how Linux says that nobody holds the other side any more
        pass
    finally:
        os.close(master)
