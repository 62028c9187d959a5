"""What a run found, as a picture: latency over time and how it is spread, or latency against rate."""

import importlib.util
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import typer

from penstock.cli.bench.plan import Outcome, Plan, Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS: Final = (".svg", ".png", ".pdf")
_COLOURS: Final = {"p50": "#4c9be8", "p90": "#2b6cb0", "p99": "#d97706", "max": "#b91c1c"}


def check(path: Path) -> None:
    """Look beforehand whether a plot can be written.

    Raises:
        typer.BadParameter: its name is that of no picture, or there is no such folder.
        ModuleNotFoundError: the extra is not installed.
    """
    if path.suffix.lower() not in _KINDS:
        raise typer.BadParameter(f"{path} is none of {', '.join(_KINDS)}", param_hint="--plot")
    folder = path.absolute().parent
    if not (folder.is_dir() and os.access(path if path.exists() else folder, os.W_OK)):
        raise typer.BadParameter(f"{path} cannot be written", param_hint="--plot")
    if importlib.util.find_spec("matplotlib") is None:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")


def write_plot(path: Path, plan: Plan, outcome: Outcome) -> None:
    """Draw what was found, and write it; the file's name says in which format.

    Raises:
        OSError: it cannot be written.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells that it looks for fonts
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ramp = plan.steps is not None
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "penstock", "font.size": 9}):
        figure = Figure(figsize=(8, 4.5 if ramp else 7), layout="constrained")
        figure.suptitle(_title(plan, outcome))
        if ramp:
            _against_rate(figure.add_subplot(), plan, outcome)
        else:
            above, below = figure.subplots(2)
            _over_time(above, plan, outcome.steps[0])
            _spread(below, outcome.steps[0])
        metadata: dict[str, Any] = {"Date": None} if path.suffix.lower() == ".svg" else {}
        figure.savefig(path, metadata=metadata)


def _title(plan: Plan, outcome: Outcome) -> str:
    load = plan.load
    if plan.steps is not None:
        return f"{outcome.model}: latency against rate"
    if load.rate is not None:
        return f"{outcome.model} at {load.rate:,g} requests a second"
    return f"{outcome.model} with {load.concurrency:,} requests at once"


def _over_time(axes: "Axes", plan: Plan, step: Step) -> None:
    windows = [window for window in step.figures.windows if window.answered]
    middle = [window.at_s + step.figures.window_s / 2 for window in windows]
    for name, colour in _COLOURS.items():
        axes.plot(middle, [getattr(window.latency, name) * 1000 for window in windows], color=colour, label=name)
    failing = [window.at_s + step.figures.window_s / 2 for window in step.figures.windows if window.failed]
    if failing:
        axes.plot(failing, [step.figures.latency.percentile_s(50) * 1000] * len(failing), "kx", label="failures")
    _limits(axes, plan)
    axes.set(xlabel="seconds")
    _finish(axes)


def _spread(axes: "Axes", step: Step) -> None:
    times, counts = step.figures.latency.filled()
    if not counts.size:
        return
    below = np.cumsum(counts) / counts.sum()
    # From 90 % to 99 % is as wide as from 99 % to 99.9 %: the slow ones are what one looks for.
    nines = -np.log10(np.maximum(1 - below, 1 / counts.sum()))
    axes.plot(nines, times * 1000, color=_COLOURS["p90"], drawstyle="steps-post")
    ticks = [share for share in (0, 50, 90, 99, 99.9, 99.99, 99.999) if share == 0 or _nines(share) <= nines[-1]]
    axes.set_xticks([_nines(share) for share in ticks], [f"{share:g} %" for share in ticks])
    axes.set(xlabel="answers that took no longer")
    _finish(axes, legend=False)


def _nines(share: float) -> float:
    return float(-np.log10(1 - share / 100))


def _against_rate(axes: "Axes", plan: Plan, outcome: Outcome) -> None:
    steps = sorted(outcome.steps, key=lambda step: step.figures.load.rate or 0.0)
    rates = [step.figures.load.rate or 0.0 for step in steps]
    for name, colour in _COLOURS.items():
        times = [getattr(step.figures.latency.spread(), name) * 1000 for step in steps]
        axes.plot(rates, times, color=colour, label=name, marker=".")
    _limits(axes, plan)
    climb = outcome.climb
    if climb is not None and climb.held is not None:
        axes.axvline(climb.held, color="#15803d", linestyle=":", label=f"{climb.held:,g} a second held")
    axes.set(xlabel="requests a second")
    _finish(axes)


def _limits(axes: "Axes", plan: Plan) -> None:
    for objective in plan.objectives:
        if objective.kind == "latency":
            axes.axhline(objective.limit * 1000, color="#6b7280", linestyle="--", label=objective.text)


def _finish(axes: "Axes", *, legend: bool = True) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set(ylabel="latency, ms", yscale="log", xlim=(0, None))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.3)
    if legend:
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
