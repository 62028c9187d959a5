"""The two that are compared, each started as a process of its own with one thread for the model."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("expert loop", "Penstock")


@contextmanager
def serving(name: str, bootstrap: str, requests: str, replies: str, folder: Path) -> Iterator[None]:
    """Run one contestant while the block lasts, in a new group that starts at the beginning."""
    group = f"bench-{replies}"
    command = _expert(bootstrap, group, requests, replies, folder)
    if name == "Penstock":
        command = _penstock(bootstrap, group, requests, replies, folder)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
    # Neither side uploads ONNX Runtime's telemetry; ours never does.
    process = subprocess.Popen(command, env={**inherited, "ORT_DISABLE_TELEMETRY": "1"})
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _expert(bootstrap: str, group: str, requests: str, replies: str, folder: Path) -> list[str]:
    return [
        sys.executable,
        str(Path(__file__).with_name("expert_loop.py")),
        f"--bootstrap={bootstrap}",
        f"--group={group}",
        f"--requests={requests}",
        f"--replies={replies}",
        f"--model={folder / 'models' / 'breast-cancer' / '1' / 'model.onnx'}",
    ]


def _penstock(bootstrap: str, group: str, requests: str, replies: str, folder: Path) -> list[str]:
    # Default settings, but for where everything is.
    return [
        *(sys.executable, "-m", "penstock.cli.main", "worker"),
        f"--bootstrap-servers={bootstrap}",
        f"--group-id={group}",
        f"--request-topics={requests}",
        f"--reply-topic={replies}",
        f"--repository={folder / 'models'}",
        "--default-model=breast-cancer",
        "--http-port=0",
        "--set=log.level=error",
    ]
