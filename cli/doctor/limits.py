"""Reads what a process may use of this machine: its affinity, its control groups, its limits.

Control groups: docs.kernel.org, "Control Group v2", cpu.max and memory.max; version 1 has them in other files.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from penstock.cli.doctor.machine import THREAD_VARIABLES, Machine

_CGROUP: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")
_UNLIMITED: Final = 2**60  # version 1 says "no bound" by a huge number
_MANY_FILES: Final = 2**20


def look_at_machine(environ: Mapping[str, str] = os.environ) -> Machine:
    """Look at this machine."""
    return Machine(
        cores=_cores(),
        quota=least(read_quota, folders()),
        memory_bytes=int(min(_memory(), least(read_memory, folders()) or _UNLIMITED)),
        open_files=_open_files(),
        variables={name: environ[name] for name in THREAD_VARIABLES if name in environ},
    )


def folders(root: Path = _CGROUP, own: Path = _OWN) -> Iterator[Path]:
    """Yield the folders of our control groups, from the innermost out: each may set a bound."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        base = root / controllers if controllers else root
        inner = base / path.lstrip("/")
        while inner != base:
            yield inner
            inner = inner.parent
        yield base


def least(read: Callable[[Path], float | None], places: Iterator[Path]) -> float | None:
    """Return the least bound of all folders; None where there is none."""
    return min((bound for bound in map(read, places) if bound is not None), default=None)


def read_quota(folder: Path) -> float | None:
    """Return the cores' worth of time that a control group allows."""
    whole = _words(folder / "cpu.max")
    if len(whole) == 2 and whole[0] != "max":
        return int(whole[0]) / int(whole[1])
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    if quota and period and int(quota[0]) > 0:
        return int(quota[0]) / int(period[0])
    return None


def read_memory(folder: Path) -> float | None:
    """Return the bytes of memory that a control group allows."""
    bounds = [*_words(folder / "memory.max"), *_words(folder / "memory.limit_in_bytes")]
    numbers = [int(bound) for bound in bounds if bound.isdigit()]
    return min((number for number in numbers if number < _UNLIMITED), default=None)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _UNLIMITED


def _open_files() -> int:
    try:
        import resource
    except ImportError:  # not on every system
        return _MANY_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY_FILES if soft == resource.RLIM_INFINITY else soft
