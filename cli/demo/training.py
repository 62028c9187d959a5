"""Training, in a process of its own."""

import time
from collections.abc import Mapping
from pathlib import Path

from penstock.cli.demo.guarded import DemoError, GuardedProcess
from penstock.cli.demo.held_out import HeldOut
from penstock.cli.demo.models import MODELS


async def train(folder: Path) -> float:
    """Train and export all models into a folder, and return how many seconds that took.

    One process for all: two thirds of its time go into importing scikit-learn, which a second one would do again while
    Kafka wants the other core.

    Raises:
        DemoError: it failed, for example because ONNX Runtime does not answer as scikit-learn does.
    """
    start = time.monotonic()
    process = GuardedProcess(
        ["-m", "penstock.cli.demo.models", str(folder)],
        folder=folder,
        log=folder / "training.log",
        variables={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # Kafka starts on the other core
    )
    try:
        await process.start()
        if await process.wait():
            raise DemoError(f"training failed: {process.last_lines(1)}")
    finally:
        await process.kill()
    return time.monotonic() - start


def read_held_out(folder: Path) -> Mapping[str, HeldOut]:
    """Return the held-out rows by model, after training."""
    return {model.name: HeldOut.read(folder, model.name) for model in MODELS}
