"""Versions that cannot serve, and a worker that is killed while it switches."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from benchmarks.studies.control_generator import Stream
from benchmarks.studies.control_load import Load
from benchmarks.studies.control_models import BROKEN, FIRST, INCOMPATIBLE, MODEL, SLOW, TAMPERED
from benchmarks.studies.control_scene import WORKERS, Scene, applied, ordered, served
from benchmarks.studies.failures import StudyError
from benchmarks.studies.service import Service
from penstock.producer.control.control import Control
from penstock.producer.control.results import Issued
from penstock.schemas.control.status import WorkerStatus

CANNOT_SERVE: Final = {"not ONNX": BROKEN, "tampered": TAMPERED, "other inputs": INCOMPATIBLE}
_KEYS: Final = 500
_LOADING_S: Final = 0.3  # of the second that the slow version takes
_BACK_S: Final = 90.0
_LOOK_S: Final = 0.05


async def refused(load: Load, control: Control, per_second: float) -> dict[str, Any]:
    """Deploy what cannot serve, one after the other, and return what became of it and of the requests."""
    applied(await ordered(control, control.deploy(MODEL, FIRST)))
    await load.begin(Stream(per_second, _KEYS))
    orders = {}
    for what, version in CANNOT_SERVE.items():
        order = await ordered(control, control.deploy(MODEL, version))
        orders[what] = {"acks": order.kinds, "reason": order.acks[0].reason, "acked_s": order.acked - order.asked}
        await asyncio.sleep(1.0)
        applied(await ordered(control, control.deploy(MODEL, FIRST)))
    answers = await load.end()
    versions = sorted({int(version) for version in answers.version if version})
    return {**answers.counts(), "asked_per_s": per_second, "orders": orders, "versions": versions}


async def killed(
    scene: Scene, services: Sequence[Service], load: Load, control: Control, per_second: float
) -> dict[str, Any]:
    """Kill the second worker while it loads what was deployed, start it anew, and return what became of it."""
    await load.begin(Stream(per_second, _KEYS))
    await asyncio.sleep(1.0)
    before = {status.worker for status in await control.status()}
    issued = await control.deploy(MODEL, SLOW)
    assert isinstance(issued, Issued)
    await asyncio.sleep(_LOADING_S)
    died = time.monotonic()
    await services[1].kill()
    said = [status for status in await control.status() if status.epoch >= issued.offset and not status.pending]
    async with AsyncExitStack() as stack:
        again = scene.worker(services[1].lane, f"{services[1].name}-again")
        started = time.monotonic()
        await stack.enter_async_context(again)
        statuses = await _settled(control, issued.offset)
        back = time.monotonic()
        # The generator goes on until the dead worker's partitions are somebody's again.
        await again.until(
            lambda: 1.0 if any(each.partitions for each in again.openings()) else None, "it has partitions"
        )
        whole = time.monotonic()
        await asyncio.sleep(1.0)
        answers = await load.end()
    return {
        **answers.counts(),
        "asked_per_s": per_second,
        "in_the_middle": not said,
        "new": sorted({status.worker for status in statuses} - before) != [],
        "digests": sorted({status.digest for status in statuses}),
        "serving": [served(status) for status in statuses],
        "wanted": SLOW,
        "back_s": back - started,
        "whole_s": whole - died,
    }


async def _settled(control: Control, offset: int) -> list[WorkerStatus]:
    """Return the statuses of all workers once they have followed the log to an offset. Raises: StudyError."""
    deadline = time.monotonic() + _BACK_S
    while time.monotonic() < deadline:
        live = [status for status in await control.status() if status.state == "running"]
        done = [status for status in live if status.epoch >= offset and not status.pending]
        if len(done) == WORKERS == len(live):
            return done
        await asyncio.sleep(_LOOK_S)
    raise StudyError(f"the workers did not reach offset {offset} of the control topic within {_BACK_S:g} s")
