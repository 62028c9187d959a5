"""`make bench`: measures, and writes docs/benchmarks/. `python -m benchmarks.compare --help` has the options."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import page, results
from benchmarks.environments import EnvironmentBuildError, interpreter
from benchmarks.machine import session, unfit
from benchmarks.plan import Plan, read_plan
from benchmarks.processes import ROOT, ContestantError
from benchmarks.results import Results, Run
from benchmarks.roster import left_out
from benchmarks.rounds import measure
from benchmarks.runs import Bench
from benchmarks.table import render
from benchmarks.topics import Topics
from benchmarks.workload import WORKLOADS, title
from penstock.broker import BrokerError, EmbeddedKafka


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line says, and return the exit status."""
    plan = read_plan(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended on the way out
    try:
        if plan.draw:
            _write(results.load(plan.output / page.RESULTS), plan)
        else:
            _measure(plan, arguments)
    except KeyboardInterrupt:
        print(f"\nInterrupted{'' if plan.quick else '; what was finished before is kept'}.", file=sys.stderr)
        return 130
    except (BrokerError, ContestantError, EnvironmentBuildError, results.ResultsError, TimeoutError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _measure(plan: Plan, arguments: Sequence[str]) -> None:
    if reason := unfit():
        raise ContestantError(reason)
    for who in plan.contestants:
        interpreter(who.environment)  # whatever cannot be installed is told now, not after half an hour
    for who, workload, why in left_out(plan.workloads, plan.contestants):
        if "rates" in plan.parts:
            print(f"{who.title} is left out of {title(workload)}: {why}.")
    known = results.load(plan.output / page.RESULTS)
    here: Results = {**known, "sessions": {}, "runs": []}
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name, _kafka() as kafka:
        folder = Path(name)
        _make_models(plan, folder)
        about = session(plan.contestants, arguments, kafka.version)
        bench = Bench(kafka.bootstrap_servers, folder, Topics(kafka.bootstrap_servers))
        for runs in measure(bench, plan, folder):
            stamped: list[Run] = [{**run, "session": about["id"]} for run in runs]
            here, known = results.merged(here, about, stamped), results.merged(known, about, stamped)
            if not plan.quick:
                results.save(plan.output / page.RESULTS, known)
    if plan.quick:
        print(f"\n{render(here)}")
    else:
        _write(known, plan)


def _write(known: Results, plan: Plan) -> None:
    for path in page.write(known, plan.output):
        print(f"wrote {os.path.relpath(path)}")


def _make_models(plan: Plan, folder: Path) -> None:
    rates = plan.workloads if "rates" in plan.parts else []
    wanted = {WORKLOADS[each][0] for each in (*rates, "tj")}
    print(f"Training {' and '.join(sorted(wanted))} ...", flush=True)
    command = [sys.executable, "-m", "benchmarks.models", str(folder), *sorted(wanted)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise ContestantError(f"the models could not be made:\n{ran.stderr.strip()[-2000:]}")


@contextlib.contextmanager
def _kafka() -> Iterator[Any]:
    """Run a broker while the block lasts. The block itself is blocking, so its loop stands still meanwhile."""
    kafka = EmbeddedKafka()
    with asyncio.Runner() as runner:
        print("Starting Kafka ...", flush=True)
        runner.run(kafka.start())
        try:
            yield kafka
        finally:
            runner.run(kafka.stop())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
