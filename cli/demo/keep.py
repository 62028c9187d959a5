"""The demo's service, kept running for whoever wants to call it and look at it."""

import asyncio
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from penstock.cli.demo.held_out import HeldOut
from penstock.cli.demo.service import Service
from penstock.cli.demo.workers import REPLIES, REQUESTS, SETTINGS_FILE
from penstock.cli.terminal import say

_ROWS: Final = 10  # as many answers as a person reads


def write_rows(folder: Path, held_out: Mapping[str, HeldOut]) -> None:
    """Write a few held-out rows of each model to `<folder>/rows/<model>.csv`, digits enough for every float32."""
    place = folder / "rows"
    place.mkdir()
    for name, rows in held_out.items():
        columns = ",".join(f"x{number}" for number in range(rows.rows.shape[1]))
        np.savetxt(place / f"{name}.csv", rows.rows[:_ROWS], fmt="%.9g", delimiter=",", header=columns, comments="")


def kept(service: Service, penstock: str) -> list[str]:
    """Return what a person has to know of a service that is kept, a line each.

    Args:
        service: that runs.
        penstock: how the command is called from anywhere.
    """
    return [
        "Kept running until Ctrl-C",
        f"  bootstrap servers  {service.bootstrap_servers}",
        f"  topics             {REQUESTS}, {REPLIES}",
        f"  models             {service.folder / 'models'}",
        f"  settings           {service.folder / SETTINGS_FILE}",
        *(f"  health, /metrics   {url}/health/ready" for url in service.workers.urls),
        "",
        "In another terminal: where the settings lie, no command needs an option",
        f"  cd {shlex.quote(str(service.folder))}",
        *(f"  {penstock} predict {name} rows/{name}.csv" for name in service.held_out),
        f"  {penstock} top",
        f"  {penstock} status",
        f"  {penstock} control log",
        f"  {penstock} doctor",
    ]


async def keep(service: Service) -> None:
    """Keep a service until somebody stops it, which is its normal end here and no failure.

    Raises:
        DemoError: broker or workers ended by themselves.
    """
    try:
        await service.unless_ended(asyncio.Event().wait())
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        say("Stopped.")
