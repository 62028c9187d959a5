"""The scaling study as a table and a picture."""

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.studies.figures import COLOURS, MARKS, made_on, markdown, save
from benchmarks.studies.membership_events import JOIN, KILL, STOP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Values = Callable[[Mapping[str, Any]], list[float]]

_MIB = 2**20
_KINDS = {JOIN: "a worker joins", STOP: "one is stopped (SIGTERM)", KILL: "one is killed (SIGKILL)"}
_HEAD = (
    "partitions",
    "members",
    "RSS MiB",
    "PSS MiB",
    "cores idle",
    "cores at work",
    "CPU s to start",
    *(f"{kind}: open again / silence / longest wait, ms" for kind in (JOIN, STOP, KILL)),
    "whole after a kill, s",
)


def line(cell: Mapping[str, Any]) -> str:
    """Return one group for the terminal."""
    events = "; ".join(f"{kind} {_event(cell, kind)} ms" for kind in _KINDS if _has(cell, kind))
    faults = "".join(f", {cell[name]} {name}" for name in ("unanswered", "doubles", "wrong") if cell[name])
    return (
        f"{cell['partitions']:>3} partitions, {cell['members']} members: PSS {cell['pss_bytes'] / _MIB:.0f} MiB, "
        f"{cell['idle_cores']:.2f} cores idle, {cell['flow_cores']:.2f} at work; open again / silence / longest wait: "
        f"{events}{faults}"
    )


def table(figures: Mapping[str, Any]) -> str:
    """Return every group as a table in Markdown, with the rates above it and the machine below."""
    rows = []
    for cell in figures["cells"]:
        events = [_event(cell, kind) if _has(cell, kind) else "-" for kind in _KINDS]
        rows.append(
            [
                f"{cell['partitions']}",
                f"{cell['members']}",
                f"{cell['rss_bytes'] / _MIB:.0f}",
                f"{cell['pss_bytes'] / _MIB:.0f}",
                f"{cell['idle_cores']:.2f}",
                f"{cell['flow_cores']:.2f}",
                f"{cell['start_cpu_s']:.1f}",
                *events,
                f"{statistics.mean(_each(cell, KILL, 'whole_s')):.1f}" if _has(cell, KILL) else "-",
            ]
        )
    return f"{_rates(figures)}\n\n{markdown(_HEAD, rows)}\n\n{_faults(figures)} {made_on(figures)}"


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Draw memory, processor time and rebalances against the number of members."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.6), layout="constrained")
    (memory, cores), (silence, wait) = figure.subplots(2, 2)
    for number, (key, name) in enumerate((("rss_bytes", "RSS"), ("pss_bytes", "PSS"))):
        _lines(memory, figures, _of_cell(key, 1 / _MIB), name, number)
    for number, (key, name) in enumerate((("flow_cores", "at work"), ("idle_cores", "idle"))):
        _lines(cores, figures, _of_cell(key, 1.0), name, number)
    for number, (kind, name) in enumerate(_KINDS.items()):
        _lines(silence, figures, _of_events(kind, "open_s"), name, number)
        _lines(wait, figures, _of_events(kind, "wait_s"), name, number)
    _finish(memory, figures, "Memory of all processes, MiB")
    _finish(cores, figures, f"Cores kept busy, idle and at {figures['per_second']} requests a second")
    _finish(silence, figures, "Until every partition is open again, ms")
    _finish(wait, figures, "Longest wait for a reply meanwhile, ms")
    save(figure, path, "Memory, processor time and rebalances of a group, by its members")


def _of_cell(key: str, scale: float) -> _Values:
    return lambda cell: [cell[key] * scale]


def _of_events(kind: str, key: str) -> _Values:
    return lambda cell: [value * 1000 for value in _each(cell, kind, key)]


def _lines(axes: "Axes", figures: Mapping[str, Any], values: _Values, name: str, look: int) -> None:
    """Draw the mean of some values against members, a line for each number of partitions, and each value as a point."""
    colour, mark = COLOURS[look], MARKS[look]
    for number, partitions in enumerate(dict.fromkeys(cell["partitions"] for cell in figures["cells"])):
        found = [(cell["members"], values(cell)) for cell in figures["cells"] if cell["partitions"] == partitions]
        found = [(members, each) for members, each in found if each]
        style = ("-", "--", ":", "-.")[number % 4]
        label = f"{name}, {partitions} partitions"
        axes.plot(
            [members for members, _ in found],
            [statistics.mean(each) for _, each in found],
            color=colour, linestyle=style, marker=mark, markersize=5, linewidth=1.4, label=label,
        )  # fmt: skip
        for members, each in found:
            if len(each) > 1:
                axes.plot([members] * len(each), each, mark, color=colour, alpha=0.35, markersize=3.5)


def _finish(axes: "Axes", figures: Mapping[str, Any], title: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("members")
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted({cell["members"] for cell in figures["cells"]}))
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False, fontsize=8)


def _rates(figures: Mapping[str, Any]) -> str:
    pairs = figures["pairs"]
    if not pairs:
        return "The rate was not measured."
    one, two, ratio = (statistics.median(pair[name] for pair in pairs) for name in ("one", "two", "ratio"))
    ratios = ", ".join(f"{pair['ratio']:.2f}" for pair in pairs)
    return (
        f"{figures['count']:,} requests waiting: {one:,.0f} a second by one process, {two:,.0f} by two. "
        f"Ratio {ratio:.2f} (pair by pair: {ratios})."
    )


def _faults(figures: Mapping[str, Any]) -> str:
    cells = figures["cells"]
    asked = sum(cell["requests"] for cell in cells)
    told = ", ".join(f"{sum(cell[name] for cell in cells):,} {name}" for name in ("unanswered", "doubles", "wrong"))
    return f"Of {asked:,} requests, {figures['per_second']} a second: {told}."


def _event(cell: Mapping[str, Any], kind: str) -> str:
    """Return the mean time until all is open, and the longest gap and wait of all rounds, in milliseconds."""
    opened = statistics.mean(_each(cell, kind, "open_s"))
    worst = (max(_each(cell, kind, key)) for key in ("gap_s", "wait_s"))
    return " / ".join(f"{value * 1000:,.0f}" for value in (opened, *worst))


def _each(cell: Mapping[str, Any], kind: str, key: str) -> list[float]:
    return [event[key] for event in cell["events"] if event["kind"] == kind]


def _has(cell: Mapping[str, Any], kind: str) -> bool:
    return any(event["kind"] == kind for event in cell["events"])
