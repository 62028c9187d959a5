"""The command line and the environment of each contestant."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.environments import interpreter
from benchmarks.processes import Running, running
from benchmarks.roster import Contestant
from benchmarks.workload import Workload


@contextmanager
def serving(
    who: Contestant, bootstrap: str, requests: str, replies: str, *, workload: Workload, output: Path
) -> Iterator[Running]:
    """Run a contestant while the block lasts, in a new group that starts at the beginning of the topic."""
    own = _peer_command if who.module else _penstock_command
    command = own(who, bootstrap, requests, replies, workload)
    with running(who.title, command, environment(), output) as contestant:
        yield contestant


def environment() -> dict[str, str]:
    """Return our variables without settings of Penstock's, with one thread for libraries that would take more."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "PYTHON"))}
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**inherited, **one_thread, "ORT_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}


def model_of(workload: Workload) -> Path:
    """Return the ONNX file of a workload."""
    return workload.repository / workload.model / "1" / "model.onnx"


def headers_of(who: Contestant, workload: Workload) -> list[tuple[str, bytes]]:
    """Return the headers that a contestant needs on its requests."""
    return [(name, value.format(model=workload.model).encode()) for name, value in who.headers]


def _peer_command(who: Contestant, bootstrap: str, requests: str, replies: str, workload: Workload) -> list[str]:
    return [
        *(str(interpreter(who.environment)), "-m", f"benchmarks.contestants.{who.module}"),
        f"--bootstrap={bootstrap}",
        f"--group=bench-{replies}",
        f"--requests={requests}",
        f"--replies={replies}",
        f"--model={model_of(workload)}",
        f"--name={workload.model}",
        *(["--raw"] if workload.raw else []),
        *([f"--mode={who.mode}"] if who.mode else []),
    ]


def _penstock_command(_: Contestant, bootstrap: str, requests: str, replies: str, workload: Workload) -> list[str]:
    # Default settings, but for where everything is.
    return [
        *(sys.executable, "-m", "penstock.cli.main", "worker"),
        f"--bootstrap-servers={bootstrap}",
        f"--group-id=bench-{replies}",
        f"--request-topics={requests}",
        f"--reply-topic={replies}",
        f"--repository={workload.repository}",
        f"--default-model={workload.model}",
        "--http-port=0",
        "--set=log.level=error",
    ]
