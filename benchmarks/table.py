"""The figures as Markdown, and their place on the page. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from benchmarks.results import Results, Spread, figure, subject
from benchmarks.roster import CONTESTANTS, REFERENCE, Contestant, left_out
from benchmarks.workload import WORKLOADS, title

BEGIN: Final = "<!-- figures: begin; `make bench` writes what follows -->"
END: Final = "<!-- figures: end -->"
NOTHING: Final = "-"

Column = tuple[str, Callable[[Contestant], str]]


def placed(page: str, figures: str) -> str:
    """Return the page with figures between its markers; the text around them stays.

    Raises:
        ValueError: the markers are not both there, in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no place for figures: a line {BEGIN} and after it a line {END}")
    return f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}"


def render(results: Results) -> str:
    """Return all tables that there are figures for."""
    measured = {subject(run) for run in results["runs"]}
    if not measured:
        return "Nothing has been measured yet."
    parts = [
        _rates(results, measured),
        _costs(results, measured),
        _latencies(results, measured),
        _memory(results, measured),
        _reasons(measured),
        _origins(results),
    ]
    return "\n\n".join(part for part in parts if part)


def grid(corner: str, rows: Sequence[Contestant], columns: Sequence[Column]) -> str:
    """Return a Markdown table, a contestant a row; limits come last, in italics."""
    lines = [f"| {corner} | {' | '.join(head for head, _ in columns)} |", "|---|" + "---:|" * len(columns)]
    for who in sorted(rows, key=lambda each: each.limit):
        name = f"*{who.title}*" if who.limit else who.title
        name = f"**{name}**" if not who.module else name
        lines.append(f"| {name} | {' | '.join(cell(who) for _, cell in columns)} |")
    return "\n".join(lines)


def thousands(found: Spread | None) -> str:
    """Return a rate and its range in thousands, three digits each."""
    if found is None:
        return NOTHING
    return f"{_three(found.median / 1000)} k ({_three(found.lowest / 1000)} to {_three(found.highest / 1000)})"


def ratio(found: Spread | None) -> str:
    """Return a ratio and its range."""
    return NOTHING if found is None else f"{found.median:.2f} ({found.lowest:.2f} to {found.highest:.2f})"


def _three(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def _number(found: Spread | None) -> str:
    return NOTHING if found is None else _three(found.median)


def _who(measured: set[Any], part: str) -> list[Contestant]:
    return [each for each in CONTESTANTS.values() if any(one[0] == part and one[2] == each.name for one in measured)]


def _workloads(measured: set[Any]) -> list[str]:
    return [each for each in WORKLOADS if any(one[:2] == ("rate", each) for one in measured)]


def _cells(results: Results, name: str, part: str, write: Callable[[Spread | None], str]) -> Callable[[str], Column]:
    def column(workload: str) -> Column:
        return title(workload), lambda who: write(figure(results, name, (part, workload, who.name, 0)))

    return column


def _rates(results: Results, measured: set[Any]) -> str:
    rows, workloads = _who(measured, "rate"), _workloads(measured)
    if not rows:
        return ""
    rates = [_cells(results, "per_second", "rate", thousands)(each) for each in workloads]
    ratios = [_cells(results, "ratio", "rate", ratio)(each) for each in workloads]
    counts = [f"{title(each)} {_rounds(results, each)}" for each in workloads]
    against = CONTESTANTS[REFERENCE].title
    return "\n\n".join(
        [
            "### Requests a second",
            "![Requests a second of each contestant, a panel for each workload](rates.svg)",
            f"Median of the rounds (lowest to highest). {'; '.join(counts)}. In italics: limits, which serve nothing.",
            grid("", rows, rates),
            f"### Ratio to the {against}",
            "Each round's rate over that loop's rate of the same round; median (lowest to highest).",
            grid("", rows, ratios),
        ]
    )


def _rounds(results: Results, workload: str) -> str:
    runs = [run for run in results["runs"] if subject(run)[:2] == ("rate", workload) and run["contestant"] != "onnx"]
    waiting = sorted({run["requests"] for run in runs}) or [0]
    rounds = sorted({run["round"] for run in runs})
    turns = f"{len(rounds)} round{'s' if len(rounds) != 1 else ''}"
    return f"{' or '.join(f'{each:,}' for each in waiting)} requests, {turns}"


def _costs(results: Results, measured: set[Any]) -> str:
    rows, workloads = _who(measured, "rate"), _workloads(measured)
    if not rows:
        return ""
    cpu = [_cells(results, "cpu_us", "rate", _number)(each) for each in workloads]
    memory = [_cells(results, "peak_mib", "rate", _number)(each) for each in workloads]
    return "\n\n".join(
        [
            "### CPU time per request, microseconds",
            "User and system time of the worker and its children, from the first reply to the last; medians.",
            grid("", rows, cpu),
            "### Peak memory, MiB",
            "The highest resident memory of the worker and its children in those runs; medians.",
            grid("", rows, memory),
        ]
    )


def _latencies(results: Results, measured: set[Any]) -> str:
    rows = _who(measured, "latency")
    if not rows:
        return ""

    def column(per_second: int, name: str) -> Column:
        return (
            f"{per_second:,}/s {name}",
            lambda who: _number(figure(results, f"{name}_ms", ("latency", "tj", who.name, per_second))),
        )

    rates = sorted({one[3] for one in measured if one[0] == "latency"})
    columns = [column(per_second, name) for per_second in rates for name in ("p50", "p90", "p99")]
    return "\n\n".join(
        [
            "### Latency of T J, milliseconds",
            "![Median and 99th percentile of latency of each contestant](latency.svg)",
            "From when a request should have left to its reply, at a steady rate; medians of the rounds.",
            grid("", rows, columns),
        ]
    )


def _memory(results: Results, measured: set[Any]) -> str:
    rows = _who(measured, "memory")
    if not rows:
        return ""
    backlogs = sorted({one[3] for one in measured if one[0] == "memory"})

    def peak(who: Contestant, backlog: int) -> Spread | None:
        return figure(results, "peak_mib", ("memory", "tj", who.name, backlog))

    def column(backlog: int) -> Column:
        return f"{backlog:,} waiting", lambda who: _number(peak(who, backlog))

    def growth(who: Contestant) -> str:
        least, most = peak(who, backlogs[0]), peak(who, backlogs[-1])
        return NOTHING if least is None or most is None else f"{most.median / least.median:.2f}"

    columns = [*map(column, backlogs), ("ratio", growth)]
    return f"### Peak memory by backlog, T J, MiB\n\n{grid('', rows, columns)}"


def _reasons(measured: set[Any]) -> str:
    rows, workloads = _who(measured, "rate"), _workloads(measured)
    lines = [f"- {who.title}, {title(each)}: {why}." for who, each, why in left_out(workloads, rows)]
    lines += [
        f"- {each.title}: runs on request (`--contestants {each.name}`)."
        for each in CONTESTANTS.values()
        if each.on_request and not any(one[2] == each.name for one in measured)
    ]
    return "\n".join(["### Left out", "", *lines]) if lines else ""


def _origins(results: Results) -> str:
    lines = ["### Measured on", ""]
    for name, session in results["sessions"].items():
        there = session["machine"]
        lines += [
            f"- {name}: `{session['command']}`. {there['cores']} cores of {there['processor']}, "
            f"{there['memory_gib']} GiB, {there['system']}; Kafka {session['kafka']}, Python {session['python']}."
        ]
        lines += [
            f"  - {CONTESTANTS[who].title}: {', '.join(f'{package} {version}' for package, version in found.items())}"
            for who, found in session["versions"].items()
            if any(run["session"] == name and run["contestant"] == who for run in results["runs"])
        ]
    return "\n".join(lines)
