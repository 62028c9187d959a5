"""What a tree of processes takes of the machine, from Linux' /proc."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.studies.failures import StudyError

_PROC: Final = Path("/proc")
_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What processes have taken; those that ended meanwhile are left out.

    Attributes:
        cpu_s: seconds of processor time since their start.
        rss_bytes: memory in sight of each, added up: pages that they share count once for each.
        pss_bytes: memory in proportion: a page shared by n processes counts 1/n for each.
    """

    cpu_s: float
    rss_bytes: int
    pss_bytes: int


def usage(pids: Iterable[int]) -> Usage:
    """Add up what processes take.

    Raises:
        StudyError: this system has no /proc/<pid>/smaps_rollup.
    """
    if not (_PROC / "self" / "smaps_rollup").exists():
        raise StudyError("memory is read from /proc/<pid>/smaps_rollup, which this system lacks: run it on Linux")
    cpu_s, rss, pss = 0.0, 0, 0
    for pid in pids:
        try:
            stat = (_PROC / str(pid) / "stat").read_text()
            rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu_s += cpu_s_of(stat, os.sysconf("SC_CLK_TCK"))
        sizes = sizes_of(rollup)
        rss, pss = rss + sizes["Rss"], pss + sizes["Pss"]
    return Usage(cpu_s, rss, pss)


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for task in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += tree(int(child))
    return found


def cpu_s_of(stat: str, ticks_per_s: float) -> float:
    """Return user and system time from the text of /proc/<pid>/stat (fields 14 and 15, see proc(5))."""
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces
    return (int(fields[11]) + int(fields[12])) / ticks_per_s


def sizes_of(rollup: str) -> dict[str, int]:
    """Return the sizes in the text of /proc/<pid>/smaps_rollup, bytes by name."""
    found = {}
    for line in rollup.splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * _KIB
    return found


def machine_busy_s() -> float:
    """Return the seconds of processor time of the whole machine since its start, all cores added up.

    Raises:
        StudyError: this system has no /proc/stat.
    """
    try:
        return busy_s_of((_PROC / "stat").read_text(), os.sysconf("SC_CLK_TCK"))
    except FileNotFoundError:
        raise StudyError("the load is read from /proc/stat, which this system lacks: run it on Linux") from None


def busy_s_of(stat: str, ticks_per_s: float) -> float:
    """Return the seconds that cores were not idle from the text of /proc/stat (see proc(5))."""
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.splitlines()[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / ticks_per_s
