"""What orders to a service do to its requests: switches, canaries, shadows, throttles, bad versions, kills, long logs.

    make study ARGS="control"                   all of it, some eight minutes
    make study ARGS="control --quick"           under two minutes, written to build/studies
    make study ARGS="control --rate 5000"       on a machine with more cores

Two `penstock worker` processes follow signed commands on one embedded Kafka, and a generator in a process of its own
sends by a schedule and looks at every reply: its value holds the version that made it and the request that it answers.
"""

import argparse
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.studies import control_figures
from benchmarks.studies.control_faults import killed, refused
from benchmarks.studies.control_history import started
from benchmarks.studies.control_models import SWITCHED, make_models
from benchmarks.studies.control_scene import Scene
from benchmarks.studies.control_switches import Pace, switched
from benchmarks.studies.control_throttles import Valve, throttled
from benchmarks.studies.figures import machine, read_json, said, write_json, write_table
from benchmarks.studies.stage import folder_of, options, play
from penstock.broker import EmbeddedKafka

RATE = 1500  # requests a second that two cores hold, Kafka and the generator included
_FAULTS_PER_S = 500
_SEEN_BY_STEP = 3  # times that each key is there in a step of the canary


def main(arguments: Sequence[str]) -> int:
    """Run the study, or draw its figures again, and return the exit status."""
    parser = options(__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second while versions are switched")
    parser.add_argument("--throttle", type=float, help="rows a second that a tenant is held to; it sends twice that")
    parser.add_argument("--commands", type=int, help="of the long control topic")
    given = parser.parse_args(arguments)
    given.throttle = given.throttle or (300.0 if given.quick else 1000.0)
    given.commands = given.commands or (5_000 if given.quick else 100_000)
    folder = folder_of(given)
    if given.redraw:
        return play(lambda: _redraw(folder))
    said(f"About {2 if given.quick else 8} minutes")
    return play(lambda: _study(folder, given))


async def _redraw(folder: Path) -> None:
    _write(folder, read_json(folder / "control.json"))


async def _study(folder: Path, given: argparse.Namespace) -> None:
    async with _scene() as scene:
        figures = {"machine": machine(), "quick": given.quick, **await _service(scene, given)}
        said("Starts with a long control topic")
        figures["history"] = await started(scene, given.commands)
    write_json(folder / "control.json", figures)
    figures = read_json(folder / "control.json")  # where what is infinite is null
    _write(folder, figures)
    said(f"{control_figures.lines(figures)}\nWritten to {folder}")


async def _service(scene: Scene, given: argparse.Namespace) -> dict[str, Any]:
    """Play what two workers do, one thing after the other."""
    lane = await scene.lane("control")
    quick: bool = given.quick
    step_s = 2.5 if quick else 6.0
    pace = Pace(
        per_second=given.rate,
        keys=int(given.rate * step_s / _SEEN_BY_STEP),
        versions=SWITCHED,
        between=1.4 if quick else 3.0,
        step=step_s,
        shadow=2.0 if quick else 8.0,
    )
    valve = Valve(given.throttle, free_s=2.0 if quick else 5.0, held_s=4.0 if quick else 30.0)
    async with scene.service(lane) as (services, load, control):
        said(f"Switches, a canary and a shadow at {given.rate:,.0f} requests a second")
        switches = await switched(services, load, control, pace)
        throttles = []
        for on_one in (False, True):
            said(f"A throttle of {valve.rows_per_s:,.0f} rows/s, {'one partition' if on_one else 'all partitions'}")
            throttles.append(await throttled(load, control, valve, on_one=on_one))
        said("Versions that cannot serve, and a kill")
        bad = await refused(load, control, min(_FAULTS_PER_S, given.rate))
        kill = await killed(scene, services, load, control, min(_FAULTS_PER_S, given.rate))
    return {"switches": switches, "throttles": throttles, "refused": bad, "killed": kill}


@asynccontextmanager
async def _scene() -> AsyncIterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="penstock-study-") as name:
        folder = Path(name)
        make_models(folder / "models")
        async with EmbeddedKafka() as kafka:
            yield Scene(kafka.bootstrap_servers, folder)


def _write(folder: Path, figures: dict[str, Any]) -> None:
    control_figures.draw(figures, folder / "control.svg")
    write_table(folder / "control.md", control_figures.table(figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
