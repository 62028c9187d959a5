"""From options to a run, and from what it found to what is printed."""

import contextlib
import sys
from pathlib import Path
from typing import Final

import typer

from penstock.cli.bench.choice import Choice
from penstock.cli.bench.inputs import FileInputs, Inputs
from penstock.cli.bench.lane import Lane
from penstock.cli.bench.plan import Outcome, Plan
from penstock.cli.stopping import run
from penstock.cli.terminal import print_json
from penstock.consumer.settings import ToolSettings

_HELD: Final = 0
_BROKEN: Final = 1


def start(choice: Choice, settings: ToolSettings, config: Path | None, overrides: list[str] | None) -> int:
    """Do what the options say, print what was found, and return the exit status.

    Raises:
        typer.BadParameter, InputError, ConfigurationError, ModelError: the options, settings, rows or model are wrong.
        ModuleNotFoundError: an extra is not installed.
        BenchError, TransportError: there is nothing to measure.
    """
    from penstock.cli.bench.plot import check
    from penstock.cli.bench.progress import Progress
    from penstock.cli.bench.run import bench, precise_loop

    choice.check_rows()
    plan = _plan(choice, settings, config, overrides)
    if choice.plot is not None:
        check(choice.plot)
    outcome = Outcome()
    try:
        run(bench(plan, outcome, Progress(plan.load.seconds)), precise_loop)
    finally:  # also of what was stopped: so much was measured
        if outcome.steps:
            _tell(choice, plan, outcome)
    return _status(plan, outcome)


def _plan(choice: Choice, settings: ToolSettings, config: Path | None, overrides: list[str] | None) -> Plan:
    load, steps, objectives = choice.load(), choice.steps(), choice.wanted()
    name, _, version = choice.model.partition("@")
    worker = settings.worker
    return Plan(
        kafka=settings.kafka,
        lane=Lane(worker.request_topics[0], worker.reply_topic, name, version or None, choice.timeout_s),
        group=worker.group_id,
        inputs=_inputs(choice, name, version or None, config, overrides),
        raw=choice.raw,
        own_topic=choice.own_topic,
        load=load,
        steps=steps,
        objectives=objectives,
        max_in_flight=choice.max_in_flight,
    )


def _inputs(choice: Choice, name: str, version: str | None, config: Path | None, overrides: list[str] | None) -> Inputs:
    from penstock.cli.bench.made_up import made_up_inputs
    from penstock.cli.predict.choice import CsvChoice
    from penstock.cli.predict.numbers import Datatypes, datatype_named
    from penstock.cli.predict.source import open_source

    if choice.rows is None:
        return made_up_inputs(config, choice.repository, overrides, name, version, choice.rows_per_request)
    try:
        given = None if choice.dtype is None else datatype_named(choice.dtype)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--dtype") from None
    columns = tuple(column.strip() for column in (choice.columns or "").split(",") if column.strip())
    source = open_source(choice.rows, None, CsvChoice(columns, choice.skip, None, choice.by_column))
    return FileInputs(source, choice.rows_per_request, Datatypes(given))


def _tell(choice: Choice, plan: Plan, outcome: Outcome) -> None:
    from penstock.cli.bench.document import document
    from penstock.cli.bench.plot import write_plot
    from penstock.cli.bench.report import report
    from penstock.cli.demo.page import print_page

    if choice.json:
        print_json(document(plan, outcome))
    else:
        print_page(report(plan, outcome), to=sys.stdout)
    if choice.plot is not None:
        with contextlib.redirect_stdout(sys.stderr):
            write_plot(choice.plot, plan, outcome)


def _status(plan: Plan, outcome: Outcome) -> int:
    if plan.steps is not None:
        return _HELD if outcome.climb is not None and outcome.climb.held is not None else _BROKEN
    step = outcome.steps[-1] if outcome.steps else None
    if step is None or not step.figures.answered or step.figures.stopped:
        return _BROKEN
    return _HELD if step.verdict.held or not plan.objectives else _BROKEN
