"""The figures as two charts in SVG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from benchmarks.results import Results, Spread, figure, subject
from benchmarks.roster import CONTESTANTS, Contestant
from benchmarks.table import thousands
from benchmarks.workload import WORKLOADS, title

_OURS, _THEIRS, _LIMIT, _TAIL = "#0b6e8f", "#8a9ba8", "#dfe5e9", "#c9d3da"
_INK: Final = "#24313a"


def draw(results: Results, folder: Path) -> list[Path]:
    """Write `rates.svg` and `latency.svg`, as far as there are figures, and return what was written."""
    mpl.use("svg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "penstock",  # the same figures make the same file
            "svg.fonttype": "none",
            "font.size": 9,
            "text.color": _INK,
            "axes.edgecolor": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    return [path for path in (_rates(results, folder / "rates.svg"), _latency(results, folder / "latency.svg")) if path]


def _rates(results: Results, path: Path) -> Path | None:
    from matplotlib import pyplot

    measured = {subject(run) for run in results["runs"]}
    workloads = [each for each in WORKLOADS if any(one[:2] == ("rate", each) for one in measured)]
    if not workloads:
        return None
    rows = {each: _bars(results, "per_second", "rate", each) for each in workloads}
    most = max(len(bars) for bars in rows.values())
    across = min(2, len(workloads))
    down = -(-len(workloads) // across)
    drawing, panels = pyplot.subplots(
        down, across, figsize=(5.6 * across, (0.28 * most + 0.8) * down), squeeze=False, layout="constrained"
    )
    for panel, workload in zip(panels.flat, workloads, strict=False):
        _bar_panel(panel, f"{title(workload)}: requests a second", rows[workload])
    for panel in list(panels.flat)[len(workloads) :]:
        panel.set_visible(False)
    return _write(drawing, path, "Requests a second of each contestant")


def _bars(results: Results, name: str, part: str, workload: str, *, at: int = 0) -> list[tuple[Contestant, Spread]]:
    """Return who has this figure, the best first, the limits last."""
    found = [(who, figure(results, name, (part, workload, who.name, at))) for who in CONTESTANTS.values()]
    bars = [(who, each) for who, each in found if each is not None]
    return sorted(bars, key=lambda bar: (bar[0].limit, -bar[1].median if part == "rate" else bar[1].median))


def _colour(who: Contestant) -> str:
    return _LIMIT if who.limit else _THEIRS if who.module else _OURS


def _bar_panel(panel: Any, heading: str, bars: Sequence[tuple[Contestant, Spread]]) -> None:
    """Draw a bar per contestant with its range. What lies far beyond the services, such as a limit, is cut off."""
    services = [each.highest for who, each in bars if not who.limit] or [each.highest for _, each in bars]
    edge = max(services) * 1.5
    for place, (who, each) in enumerate(bars):
        panel.barh(place, min(each.median, edge), color=_colour(who), height=0.7)
        if each.lowest < edge:
            panel.plot([each.lowest, min(each.highest, edge)], [place, place], color=_INK, linewidth=0.9)
        inside = each.median >= edge
        text = f"{thousands(each).partition(' (')[0]}{' →' if inside else ''} "
        panel.annotate(
            text,
            (min(max(each.highest, each.median), edge), place),
            xytext=(-4 if inside else 4, 0),
            textcoords="offset points",
            va="center",
            ha="right" if inside else "left",
            fontsize=8,
        )
    panel.set_yticks(range(len(bars)), [who.title for who, _ in bars])
    panel.tick_params(axis="y", length=0)
    panel.set_xlim(0, edge * 1.08)
    panel.invert_yaxis()
    panel.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g} k")
    panel.set_title(heading, loc="left", fontsize=10)


def _latency(results: Results, path: Path) -> Path | None:
    from matplotlib import pyplot

    rates = sorted({run["at"] for run in results["runs"] if run["part"] == "latency"})
    if not rates:
        return None
    most = max(len(_bars(results, "p50_ms", "latency", "tj", at=each)) for each in rates)
    drawing, panels = pyplot.subplots(
        1, len(rates), figsize=(5.6 * len(rates), 0.3 * most + 1.1), squeeze=False, layout="constrained"
    )
    for panel, per_second in zip(panels.flat, rates, strict=True):
        bars = _bars(results, "p50_ms", "latency", "tj", at=per_second)
        for place, (who, middle) in enumerate(bars):
            tail = figure(results, "p99_ms", ("latency", "tj", who.name, per_second))
            end = tail.median if tail is not None else middle.median
            panel.plot([middle.median, end], [place, place], color=_TAIL, linewidth=5, solid_capstyle="butt", zorder=1)
            panel.scatter([middle.median], [place], color=_colour(who), s=38, zorder=2)
            panel.scatter([end], [place], color=_colour(who), s=38, marker="|", zorder=2)
            panel.annotate(
                f"{middle.median:.1f} / {end:.1f}", (end, place), xytext=(6, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
        panel.set_yticks(range(len(bars)), [who.title for who, _ in bars])
        panel.tick_params(axis="y", length=0)
        panel.set_ylim(len(bars) - 0.5, -0.5)
        panel.set_xscale("log")
        left, right = panel.get_xlim()
        panel.set_xlim(left, right * 2.2)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_title(f"T J at {per_second:,}/s: milliseconds, p50 (dot) and p99 (bar)", loc="left", fontsize=10)
    return _write(drawing, path, "Latency of each contestant")


def _write(drawing: Any, path: Path, name: str) -> Path:
    from matplotlib import pyplot

    drawing.savefig(path, format="svg", facecolor="white", metadata={"Date": None, "Title": name})
    pyplot.close(drawing)
    return path
