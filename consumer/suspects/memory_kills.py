"""How often the kernel has killed for want of memory: what tells such a kill from one that somebody has sent."""

from pathlib import Path
from typing import Final

_COUNTERS: Final = Path("/proc/vmstat")  # of the whole machine, also inside a container; since Linux 4.13


def memory_kills() -> int | None:
    """Return how many processes the kernel has killed so far; None where it does not say."""
    try:
        lines = _COUNTERS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
