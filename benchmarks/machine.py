"""What the figures were measured on, and with."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import versions
from benchmarks.roster import Contestant


def session(contestants: Sequence[Contestant], arguments: Sequence[str], kafka: str) -> dict[str, Any]:
    """Describe this session.

    Args:
        contestants: whose versions are told; their environments are there.
        arguments: of the command line.
        kafka: its version.
    """
    now = datetime.now(UTC)
    return {
        "id": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command_line(arguments),
        "machine": machine(),
        "kafka": kafka,
        "python": platform.python_version(),
        "versions": {each.name: versions(each.environment, each.packages) for each in contestants},
    }


def command_line(arguments: Sequence[str]) -> str:
    """Return the command as it is told: without the folder of the results, which is nobody else's affair."""
    kept = [each for before, each in zip(["", *arguments], arguments, strict=False) if before != "--output"]
    return " ".join(["python -m benchmarks.compare", *(each for each in kept if not each.startswith("--output"))])


def machine() -> dict[str, Any]:
    """Describe the machine."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def unfit() -> str:
    """Return why this machine cannot be measured on, empty if it can."""
    if not Path("/proc/self/status").is_file():
        return f"The benchmark reads CPU time and memory from /proc, which {sys.platform} has not: run it on Linux."
    return ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("model name", "cpu model", "hardware"):
            return value.strip()
    return platform.machine()
