"""The study of control as tables and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.studies.control_rows import COUNTS, Figures, run_rows, step_rows, wanted_rows
from benchmarks.studies.control_throttles import STEP_S
from benchmarks.studies.figures import COLOURS, MARKS, made_on, markdown, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def table(figures: Figures) -> str:
    """Return all figures in Markdown."""
    parts = [
        markdown(("what", "wanted", "found"), wanted_rows(figures)),
        markdown(
            ("run", "asked/s", "sent/s", "generator late, p99 ms", "requests", *COUNTS.values()), run_rows(figures)
        ),
        markdown(("canary asked for", "keys", "of the canary", "sigmas off", "keys with both"), step_rows(figures)),
    ]
    quick = "A quick run, which shows that everything works and not how well. " if figures["quick"] else ""
    return "\n\n".join([*parts, f"{quick}{made_on(figures)}"])


def lines(figures: Figures) -> str:
    """Return what was wanted and found for the terminal."""
    return "\n".join(f"{what:<66} {wanted:>12}  {found}" for what, wanted, found in wanted_rows(figures))


def draw(figures: Figures, path: Path) -> None:
    """Draw gaps and acks by switch, throttled rates by time, p99 beside one another, and starts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.6), layout="constrained")
    (gaps, acks), (spread, one) = figure.subplots(2, 2)
    switches = figures["switches"]
    _by_switch(gaps, switches["gaps_ms"], "Longest gap without replies at each switch, ms", 0)
    _by_switch(acks, [value * 1000 for value in switches["acked_s"]], "From asking to the last ack, each order, ms", 1)
    for axes, throttle in zip((spread, one), figures["throttles"], strict=True):
        _rate(axes, throttle)
    save(figure, path, "What switches and throttles do to requests")


def _by_switch(axes: "Axes", values: Sequence[float], title: str, look: int) -> None:
    axes.plot(range(1, len(values) + 1), values, MARKS[look], color=COLOURS[look], markersize=6)
    axes.set_xlabel("order")
    _finish(axes, title)


def _rate(axes: "Axes", throttle: Figures) -> None:
    times = [number * STEP_S for number in range(len(throttle["rates"]))]
    axes.step(times, throttle["rates"], where="post", color=COLOURS[0], linewidth=1.4, label="answered")
    axes.plot(
        [throttle["limited_at_s"], throttle["freed_at_s"]], [throttle["rows_per_s"]] * 2,
        color=COLOURS[1], linestyle="--", linewidth=1.4, label="throttle",
    )  # fmt: skip
    axes.axhline(2 * throttle["rows_per_s"], color=COLOURS[2], linestyle=":", linewidth=1.2, label="sent")
    axes.set_xlabel("seconds")
    axes.legend(frameon=False, fontsize=8)
    where = "one partition" if throttle["on_one"] else "all partitions"
    _finish(axes, f"Rows a second of the throttled tenant, {where}")


def _finish(axes: "Axes", title: str) -> None:
    axes.set_title(title)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
