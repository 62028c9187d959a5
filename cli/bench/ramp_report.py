"""What a ramp found: a line for each rate, and the highest that held. Pure."""

from collections.abc import Iterator

from penstock.cli.bench.plan import Outcome, Plan, Step
from penstock.cli.bench.verdict import Cause
from penstock.cli.figures import duration
from penstock.cli.top.figures import count, per_second

_HEADINGS = ("rate", "answered", "p50", "p90", "p99", "max", "failed")
_WIDTHS = (10, 11, 9, 9, 9, 9, 8)


def ramp_lines(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """Yield a table of the rates, in the order of the rates, and what to make of it."""
    yield "".join(heading.rjust(width) for heading, width in zip(_HEADINGS, _WIDTHS, strict=True))
    for step in sorted(outcome.steps, key=lambda step: step.figures.load.rate or 0.0):
        yield _row(step)
    yield ""
    yield from _conclusion(plan, outcome)


def _row(step: Step) -> str:
    figures = step.figures
    times = figures.latency.spread()
    failed = sum(figures.errors.values()) + figures.lost
    shown = (times.p50, times.p90, times.p99, times.max)
    cells = (per_second(figures.load.rate), per_second(figures.answered_per_s), *map(duration, shown), count(failed))
    line = "".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    return f"{line}  {'held' if step.verdict.held else 'broken'}"


def _conclusion(plan: Plan, outcome: Outcome) -> Iterator[str]:
    climb = outcome.climb
    assert climb is not None
    wanted = " and ".join(each.text for each in plan.objectives)
    if climb.held is not None:
        yield f"Highest rate that held {wanted}: {climb.held:,g} a second"
    elif climb.broken is not None:
        yield f"No rate held {wanted}"
    lowest = next((step for step in outcome.steps if step.figures.load.rate == climb.broken), None)
    if lowest is not None:
        yield f"  {climb.broken:,g} a second did not: {lowest.verdict.reason}"
        if lowest.verdict.cause is Cause.GENERATOR:
            yield "  The generator, not the service, was the limit there: run it on another machine, or several of it."
    elif climb.held is not None and plan.steps is not None and plan.steps.up_to == climb.held:
        yield "  Nothing higher was tried: --up-to ends there."
    if outcome.cut:
        yield f"  It ended early: {outcome.cut}."
