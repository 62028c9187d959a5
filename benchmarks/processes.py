"""A contestant's process while it is measured: started, watched, weighed, ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_END_S: Final = 20.0  # to stop in good order
_KILL_S: Final = 5.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_LAST_LINES: Final = 12
_LEAST_CPU_S: Final = 20 / _TICKS


class ContestantError(Exception):
    """A contestant did not do its part: names it, says what happened, and shows the end of its output."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its descendants have used so far.

    Attributes:
        cpu_s: user and system time, children that have ended included.
        peak_mib: sum of each process's highest resident memory, so shared pages count once for each.
        processes: how many there are.
    """

    cpu_s: float
    peak_mib: float
    processes: int


class Running:
    """A contestant at work."""

    def __init__(self, title: str, process: subprocess.Popen[bytes], output: Path) -> None:
        self._title, self._process, self._output = title, process, output

    def check(self) -> None:
        """Raise ContestantError if it has ended."""
        status = self._process.poll()
        if status is not None:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            raise self.error(how)

    def error(self, what: str) -> ContestantError:
        """Return the error that says what happened, with the last lines of output."""
        lines = self._output.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        said = "\n".join(f"  | {line[:300]}" for line in lines) if lines else "  (it printed nothing)"
        return ContestantError(f"{self._title} {what}. The last it printed:\n{said}")

    def usage(self) -> Usage:
        """Return what it has used so far."""
        tree = family(self._process.pid)
        return Usage(sum(map(_cpu_s, tree)), sum(map(_peak_mib, tree)), len(tree))

    def end(self) -> None:
        """End it and all its descendants, politely, then not, and wait until they are gone."""
        descendants = family(self._process.pid)[1:]
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + _KILL_S
        while any(map(lives, descendants)) and time.monotonic() < deadline:
            time.sleep(0.01)


@contextlib.contextmanager
def running(title: str, command: Sequence[str], environ: Mapping[str, str], output: Path) -> Iterator[Running]:
    """Run a contestant while the block lasts, in a session of its own, its output in a file."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, env=environ, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    contestant = Running(title, process, output)
    try:
        yield contestant
    finally:
        contestant.end()


def family(pid: int) -> list[int]:
    """Return a process and all its descendants that live, as /proc tells."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            # The name, in parentheses, may hold anything: what follows the last one is numbers.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, unseen = [], [pid]
    while unseen:
        found.append(unseen.pop())
        unseen += children.get(found[-1], [])
    return found


def lives(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS  # utime, stime, and those of children that were waited for
    return 0.0


def _peak_mib(pid: int) -> float:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    return 0.0


class Meter:
    """CPU time from the first reply on, so that a contestant's start is no part of it."""

    def __init__(self, contestant: Running) -> None:
        self._contestant, self._begun = contestant, time.monotonic()
        self._from: tuple[int, float] | None = None
        self.start_s = 0.0

    def look(self, written: int) -> None:
        """Take note of how many replies there are; raise ContestantError if the contestant has ended."""
        self._contestant.check()
        if written and self._from is None:
            self._from = written, self._contestant.usage().cpu_s
            self.start_s = time.monotonic() - self._begun

    def figures(self, count: int) -> dict[str, float]:
        """Return CPU microseconds a reply, peak MiB, and the seconds until the first reply was seen.

        Without `cpu_us` if it used too little since then to be told by the clock's ticks.
        """
        usage = self._contestant.usage()
        found = {"peak_mib": usage.peak_mib, "start_s": self.start_s}
        if self._from is not None and (used := usage.cpu_s - self._from[1]) >= _LEAST_CPU_S:
            found["cpu_us"] = used / (count - self._from[0]) * 1e6
        return found
