"""What a run found, as a page for people, 80 columns wide. Pure."""

from collections.abc import Iterator
from typing import Final

from penstock.cli.bench.histogram import Histogram
from penstock.cli.bench.load import Figures, Load
from penstock.cli.bench.plan import Outcome, Plan
from penstock.cli.bench.ramp_report import ramp_lines
from penstock.cli.bench.verdict import Verdict, behind
from penstock.cli.figures import counted, duration, size
from penstock.cli.terminal import printable
from penstock.cli.top.figures import count, per_second

_LABEL: Final = 26
_HEADINGS: Final = ("p50", "p90", "p99", "p99.9", "max")


def report(plan: Plan, outcome: Outcome) -> list[str]:
    """Return the lines of the page; headings begin at the left."""
    lines = list(_head(plan, outcome))
    if plan.steps is not None:
        return [*lines, *ramp_lines(plan, outcome), *_lag(plan, outcome), *_late(outcome)]
    rows_each = outcome.pool.rows if outcome.pool is not None else 1
    for step in outcome.steps:
        lines += [*_one(plan, step.figures, rows_each), *_lag(plan, outcome), *_late(outcome)]
        lines += _verdict(plan, step.figures, step.verdict)
    return lines


def _head(plan: Plan, outcome: Outcome) -> Iterator[str]:
    pool = outcome.pool
    assert pool is not None
    yield f"{printable(outcome.model)}: {_what(plan.load) if plan.steps is None else 'a ramp of rates'}"
    rows = f"{pool.rows:g} {'row' if pool.rows == 1 else 'rows'} in {size(pool.value_bytes)}"
    form = "raw tensors" if pool.raw else "JSON"
    yield f"  {counted(len(pool.values), 'different request')}, {rows} of {form}"
    yield f"  {printable(pool.origin)}"
    yield ""


def _what(load: Load) -> str:
    after = f", after {load.warm_up_s:g} s to warm up" if load.warm_up_s else ""
    if load.rate is not None:
        return f"{load.rate:,g} requests a second for {load.seconds:g} s{after}"
    return f"{counted(load.concurrency or 1, 'request')} at once for {load.seconds:g} s{after}"


def _one(plan: Plan, figures: Figures, rows_each: float) -> Iterator[str]:
    yield f"{'Sent':<{_LABEL}}{count(figures.sent):>9}{per_second(figures.sent_per_s):>13}"
    rows = f"{per_second(figures.answered_per_s * rows_each):>13} rows" if rows_each != 1 else ""
    yield f"{'Answered':<{_LABEL}}{count(figures.answered):>9}{per_second(figures.answered_per_s):>13}{rows}"
    for code, number in sorted(figures.errors.items(), key=lambda item: -item[1]):
        yield f"{'Error ' + printable(code):<{_LABEL}}{count(number):>9}   {printable(figures.messages[code])[:42]}"
    if figures.lost:
        yield f"{'Lost':<{_LABEL}}{count(figures.lost):>9}   no reply within {plan.lane.timeout_s:g} s"
    if figures.open:
        yield f"{'On their way':<{_LABEL}}{count(figures.open):>9}   when it ended"
    yield ""
    yield f"{'Latency':<{_LABEL}}" + "".join(f"{heading:>10}" for heading in _HEADINGS)
    since = "from when it was due" if figures.load.rate is not None else "from when it left"
    yield _times(f"  {since}", figures.latency)
    if figures.load.rate is not None:
        yield _times("    it left late by", figures.late)
    yield _times("    until Kafka had it", figures.acknowledged)
    yield ""


def _times(label: str, times: Histogram) -> str:
    return f"{label:<{_LABEL}}" + "".join(f"{duration(each):>10}" for each in times.spread())


def _lag(plan: Plan, outcome: Outcome) -> Iterator[str]:
    before, after = outcome.lag_before, outcome.lag_after
    if before is None or plan.group is None:
        return
    known = [each for each in (before, after) if each is not None]
    problem = next((each.problem for each in known if each.problem), "")
    if problem:
        yield f"Lag of {plan.group}: not known, {printable(problem)}"
    else:
        when = "when the last request had left" if plan.steps is None else "afterwards"
        end = f", {count(after.waiting)} {when}" if after is not None else ""
        yield f"Lag of {printable(plan.group)}: {count(before.waiting)} before{end}"


def _late(outcome: Outcome) -> Iterator[str]:
    if outcome.late:
        yield f"{counted(outcome.late, 'reply', 'replies')} came after the deadline, or twice"


def _verdict(plan: Plan, figures: Figures, verdict: Verdict) -> Iterator[str]:
    if figures.interrupted:
        yield f"Stopped after {duration(figures.sent_s)}."
    elif figures.stopped:
        when = f"after {duration(figures.sent_s)}" if figures.sent else "in the warm-up"
        yield f"Ended {when}: {figures.stopped}."
    late = behind(figures)
    if late:
        yield late
    if not plan.objectives:
        return
    wanted = ", ".join(each.text for each in plan.objectives)
    if verdict.held:
        yield f"Held: {wanted}"
    else:
        yield f"Broken by the {verdict.cause}: {verdict.reason}"
