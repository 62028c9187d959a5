"""How the micro-batcher behaves under load: latency and size of batches, by rate and by `batching.max_delay_s`.

    make study ARGS="batching"              all of it, some five minutes
    make study ARGS="batching --quick"      half a minute, written to build/studies

Three workers with different delays run side by side on one embedded Kafka. At each rate one after the other is asked,
so that what the machine does meanwhile touches all of them alike; the others rest. Requests leave by a schedule (open
loop) and latency counts from when a request should have left. Sizes of batches and waits are differences of the
worker's own histograms, taken before and after.
"""

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.studies import batching_figures
from benchmarks.studies.figures import machine, read_json, said, write_json, write_table
from benchmarks.studies.flow import Flow, percentiles_ms
from benchmarks.studies.open_loop import OpenLoop
from benchmarks.studies.processes import machine_busy_s
from benchmarks.studies.service import Service
from benchmarks.studies.stage import Stage, folder_of, options, play, stage
from benchmarks.workload import PARTITIONS
from penstock.cli.pages.rates import Work, mean, merged, quantile, work_between

DELAYS_S = (0.0, 0.002, 0.010)
RATES = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_START_S = 30.0  # model, Kafka, workers, and the warm-up of Kafka
_BETWEEN_S = 0.6  # two cells
_WARM_UP_S = 1.0
_FIRST_PER_S, _FIRST_S = 1000, 3.0  # the first requests of all: Kafka's code is compiled while it runs


def main(arguments: Sequence[str]) -> int:
    """Run the study, or draw its figures again, and return the exit status."""
    parser = options(__doc__)
    parser.add_argument("--delays", type=float, nargs="+", default=DELAYS_S, help="batching.max_delay_s of the workers")
    parser.add_argument("--rates", type=int, nargs="+", help="requests a second")
    parser.add_argument("--seconds", type=float, help="how long each rate is held for each worker")
    given = parser.parse_args(arguments)
    rates = given.rates or ((50, 500, 5000) if given.quick else RATES)
    seconds = given.seconds or (2.0 if given.quick else 8.0)
    folder = folder_of(given)
    if given.redraw:
        return play(lambda: _redraw(folder))
    cells = len(rates) * len(given.delays)
    minutes = (_START_S + cells * (seconds + _WARM_UP_S + _BETWEEN_S)) / 60
    said(f"{cells} measurements of {seconds:g} s: about {minutes:.1f} minutes")
    return play(lambda: _study(folder, given, rates, seconds))


async def _redraw(folder: Path) -> None:
    _write(folder, read_json(folder / "batching.json"))


async def _study(folder: Path, given: argparse.Namespace, rates: Sequence[int], seconds: float) -> None:
    cells = []
    async with stage() as on, AsyncExitStack() as stack:
        workers = [await _worker(on, stack, number, delay_s) for number, delay_s in enumerate(given.delays)]
        for per_second in rates:
            for delay_s, (service, loop) in zip(given.delays, workers, strict=True):
                cell = await measured(service, loop, per_second, seconds)
                cells.append({"max_delay_s": delay_s, "per_second": per_second, **cell})
                said(batching_figures.line(cells[-1]))
    figures = {"machine": machine(), "seconds": seconds, "cells": cells}
    write_json(folder / "batching.json", figures)
    _write(folder, figures)
    said(f"Written to {folder}")


def _write(folder: Path, figures: dict[str, Any]) -> None:
    batching_figures.draw(figures, folder)
    write_table(folder / "batching.md", batching_figures.table(figures))


async def _worker(on: Stage, stack: AsyncExitStack, number: int, delay_s: float) -> tuple[Service, OpenLoop]:
    """Start a worker on a lane of its own, and a generator for it."""
    lane = await on.lane(f"delay-{number}", PARTITIONS)
    settings: dict[str, object] = {"batching.max_delay_s": delay_s}
    service = await stack.enter_async_context(Service(lane.name, on.folder, on.bootstrap, lane, settings=settings))
    loop = stack.enter_context(OpenLoop(on.bootstrap, on.workload, lane))
    await service.until(service.all_open_at, "its partitions are open")
    await asyncio.to_thread(loop.run, _FIRST_PER_S, _FIRST_S)
    return service, loop


async def measured(service: Service, loop: OpenLoop, per_second: int, seconds: float) -> dict[str, Any]:
    """Measure one rate at one worker, after a second of it that does not count."""
    await asyncio.to_thread(loop.run, per_second, _WARM_UP_S)
    before, busy_s, start = await service.metrics(), machine_busy_s(), time.monotonic()
    flow = await asyncio.to_thread(loop.run, per_second, seconds)
    busy_cores = (machine_busy_s() - busy_s) / (time.monotonic() - start)
    service.check()
    return cell_of(flow, work_between(before, await service.metrics()), busy_cores)


def cell_of(flow: Flow, work: Work, busy_cores: float) -> dict[str, Any]:
    """Return the figures of one measurement: what its generator saw, and what its worker did meanwhile.

    Args:
        flow: the requests.
        work: between two looks at the worker.
        busy_cores: of the whole machine: Kafka's, the generator's and the worker's, and whatever else ran.
    """
    p50, p90, p99 = percentiles_ms(flow, 50, 90, 99)
    rows = merged(work.batch_rows.values())
    p90_rows = quantile(rows, 0.9)
    return {
        "requests": len(flow.due),
        "unanswered": flow.unanswered,
        "doubles": flow.doubles,
        "wrong": flow.wrong,
        "sent_per_s": flow.sent_per_s,
        "late_p99_ms": flow.late_p99_s * 1000,
        "kept_schedule": flow.kept_schedule,
        "p50_ms": p50,
        "p90_ms": p90,
        "p99_ms": p99,
        "batches": rows.count,
        "rows_mean": mean(rows),
        "rows_p90": None if p90_rows is None else math.ceil(p90_rows),  # rows are whole
        "queue_mean_ms": _ms(mean(work.queue)),
        "queue_p99_ms": _ms(quantile(work.queue, 0.99)),
        "model_mean_ms": _ms(mean(merged(work.inference.values()))),
        "busy_cores": busy_cores,
        "cpu_us_per_request": None if work.cpu_s is None else work.cpu_s / max(1, len(flow.due)) * 1e6,
    }


def _ms(value_s: float | None) -> float | None:
    return None if value_s is None else value_s * 1000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
