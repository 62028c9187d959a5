"""The batching study as a table and two pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.studies.figures import COLOURS, MARKS, made_on, markdown, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEAD = (
    "asked a second",
    "`max_delay_s`",
    "p50 ms",
    "p99 ms",
    "rows in a batch, mean",
    "p90",
    "wait for the model, mean ms",
    "worker's CPU, µs a request",
    "generator late, p99 ms",
    "cores busy",
)
_LATE = "hollow: the generator was late"


def line(cell: Mapping[str, Any]) -> str:
    """Return one measurement for the terminal."""
    faults = "".join(f", {cell[name]} {name}" for name in ("unanswered", "doubles", "wrong") if cell[name])
    late = "" if cell["kept_schedule"] else f", generator late by {cell['late_p99_ms']:.0f} ms"
    return (
        f"{cell['per_second']:>6}/s, delay {cell['max_delay_s'] * 1000:>3g} ms: p50 {cell['p50_ms']:.1f} ms, "
        f"p99 {cell['p99_ms']:.1f} ms, {_number(cell['rows_mean'], 1)} rows a batch{late}{faults}"
    )


def table(figures: Mapping[str, Any]) -> str:
    """Return every measurement as a table in Markdown, with the machine below it."""
    rows = [
        [
            f"{cell['per_second']:,}",
            f"{cell['max_delay_s']:g}",
            f"{cell['p50_ms']:.1f}",
            f"{cell['p99_ms']:.1f}",
            _number(cell["rows_mean"], 1),
            _number(cell["rows_p90"], 0),
            _number(cell["queue_mean_ms"], 1),
            _number(cell["cpu_us_per_request"], 0),
            f"{cell['late_p99_ms']:.1f}",
            f"{cell['busy_cores']:.1f}",
        ]
        for cell in figures["cells"]
    ]
    cells = figures["cells"]
    faults = {name: sum(cell[name] for cell in cells) for name in ("unanswered", "doubles", "wrong")}
    asked = sum(cell["requests"] for cell in cells)
    told = ", ".join(f"{count:,} {name}" for name, count in faults.items())
    return f"{markdown(_HEAD, rows)}\n\nOf {asked:,} requests: {told}. {made_on(figures)}"


def draw(figures: Mapping[str, Any], folder: Path) -> None:
    """Draw latency and sizes of batches against the rate."""
    _draw_latency(figures, folder / "batching-latency.svg")
    _draw_sizes(figures, folder / "batching-size.svg")


def _draw_latency(figures: Mapping[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    panels = (
        ("p50_ms", "Latency, p50, ms"),
        ("p99_ms", "Latency, p99, ms"),
        ("queue_mean_ms", "Wait for the model, mean, ms"),
    )
    all_axes = figure.subplots(1, 3)
    for axes, (key, title) in zip(all_axes, panels, strict=True):
        _lines(axes, figures, key)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.set_title(title)
    all_axes[0].legend(frameon=False)
    save(figure, path, "Latency against load, by batching.max_delay_s")


def _draw_sizes(figures: Mapping[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    sizes, cost = figure.subplots(1, 2)
    _lines(sizes, figures, "rows_mean")
    _lines(sizes, figures, "rows_p90", dashed=True)
    sizes.set_yscale("log", base=2)
    sizes.yaxis.set_major_formatter("{x:g}")
    sizes.set_title("Rows in a batch: mean, and p90 dashed")
    _lines(cost, figures, "cpu_us_per_request")
    cost.set_yscale("log")
    cost.yaxis.set_major_formatter("{x:g}")
    sizes.legend(frameon=False)
    cost.set_title("Processor time of the worker for a request, µs")
    save(figure, path, "Rows in a batch and processor time against load, by batching.max_delay_s")


def _lines(axes: "Axes", figures: Mapping[str, Any], key: str, *, dashed: bool = False) -> None:
    """Draw one figure of each worker; hollow where the generator did not keep its schedule."""
    delays = list(dict.fromkeys(cell["max_delay_s"] for cell in figures["cells"]))
    for delay_s, colour, mark in zip(delays, COLOURS, MARKS, strict=False):
        cells = [cell for cell in figures["cells"] if cell["max_delay_s"] == delay_s and cell[key] is not None]
        rates, values = [cell["per_second"] for cell in cells], [cell[key] for cell in cells]
        name = "" if dashed else f"max_delay_s = {delay_s:g}"
        axes.plot(rates, values, color=colour, linestyle="--" if dashed else "-", linewidth=1.4, label=name or None)
        for rate, value, cell in zip(rates, values, cells, strict=True):
            inside = colour if cell["kept_schedule"] else "white"
            axes.plot(rate, value, mark, color=colour, markerfacecolor=inside, markersize=4 if dashed else 6)
    if not dashed and not all(cell["kept_schedule"] for cell in figures["cells"]):
        axes.plot([], [], "o", color="#555555", markerfacecolor="white", label=_LATE)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("requests a second")
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
