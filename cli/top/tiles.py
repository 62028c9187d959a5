"""The figures of the whole service: as lines in two columns, or as tiles with charts. Pure."""

from typing import Final

from rich.text import Text

from penstock.cli.figures import duration, size
from penstock.cli.top.figures import chart, count, per_second, rows
from penstock.cli.top.sections import error_share, lag_words
from penstock.cli.top.tables import LOOK, QUIET, TITLE, Cell, line
from penstock.cli.top.view import Times, Totals, View

HEIGHT: Final = 7  # lines of a tile
_CHART: Final = 4  # of them
_NEARLY_FULL: Final = 0.8
_LEFT: Final = (9, 9, 22)  # label, figure, words
_RIGHT: Final = (13, 9, 11)


def totals(view: View, width: int) -> list[Text]:
    """Return the figures in five lines, for a narrow terminal."""
    figures = view.totals
    pairs: list[tuple[tuple[str, Cell, Cell], tuple[str, Cell, Cell]]] = [
        (
            ("answered", per_second(figures.answered_per_s), f"{count(figures.answered)} in all"),
            ("errors", per_second(figures.errors_per_s), error_share(figures)),
        ),
        (
            ("lag", count(figures.lag), lag_words(view)),
            ("arriving", per_second(figures.arriving_per_s), ""),
        ),
        (
            ("queue p50", duration(figures.queue.p50_s), f"p99 {duration(figures.queue.p99_s)}"),
            ("inference p50", duration(figures.inference.p50_s), f"p99 {duration(figures.inference.p99_s)}"),
        ),
        (
            ("batch", rows(figures.batch_rows), f"rows, p99 {rows(figures.batch_rows_p99)}"),
            ("publish p99", duration(figures.publish.p99_s), ""),
        ),
        (
            ("memory", size(figures.buffered_bytes), _full(figures)),
            ("rebalances", count(figures.rebalances), (f"{figures.paused} paused" if figures.paused else "", LOOK)),
        ),
    ]
    return [line(width, *_three(left, _LEFT), " ", *_three(right, _RIGHT)) for left, right in pairs]


def answers(view: View, width: int, *, plain: bool) -> list[Text]:
    """Return the tile of rates."""
    figures = view.totals
    return [
        line(width, (f"{per_second(figures.answered_per_s):>9}", TITLE), f"  {count(figures.answered)} in all"),
        line(width, f"{per_second(figures.errors_per_s):>9}", "  errors, ", error_share(figures)),
        *_drawn(view.rates, width, plain),
        line(width, (f"highest {per_second(max(view.rates, default=0.0))}", QUIET)),
    ]


def lag(view: View, width: int, *, plain: bool) -> list[Text]:
    """Return the tile of what waits."""
    figures = view.totals
    return [
        line(width, (f"{count(figures.lag):>9}", TITLE), "  ", lag_words(view)),
        line(width, f"{per_second(figures.arriving_per_s):>9}", "  arriving"),
        *_drawn(view.lags, width, plain),
        line(width, (f"highest {count(max(view.lags, default=0.0))}", QUIET)),
    ]


def times(view: View, width: int) -> list[Text]:
    """Return the tile of latencies, batches and memory."""
    figures = view.totals
    return [
        line(width, (f"{'':10}{'P50':>9}{'P99':>9}", TITLE)),
        _two_times(width, "queue", figures.queue),
        _two_times(width, "inference", figures.inference),
        _two_times(width, "publish", figures.publish),
        line(width, f"{'batch':10}{rows(figures.batch_rows):>9}{rows(figures.batch_rows_p99):>9}", (" rows", QUIET)),
        line(
            width,
            f"{'memory':10}{size(figures.buffered_bytes):>9}  {count(figures.buffered_rows)} rows  ",
            _full(figures),
        ),
        line(
            width,
            f"{'paused':10}",
            (f"{figures.paused:>9}", LOOK if figures.paused else ""),
            f"   rebalances {count(figures.rebalances)}",
        ),
    ]


def _two_times(width: int, label: str, both: Times) -> Text:
    return line(width, f"{label:10}{duration(both.p50_s):>9}{duration(both.p99_s):>9}")


def _drawn(values: tuple[float, ...], width: int, plain: bool) -> list[Text]:
    return [line(width, (row, "cyan")) for row in chart(values, width, _CHART, plain=plain)]


def _three(cells: tuple[str, Cell, Cell], widths: tuple[int, int, int]) -> list[Cell]:
    label, figure, words = cells
    return [f"{label:<{widths[0]}} ", _padded(figure, widths[1], right=True), "  ", _padded(words, widths[2])]


def _padded(cell: Cell, width: int, *, right: bool = False) -> Cell:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return (f"{text:>{width}}" if right else f"{text:<{width}}"), style


def _full(figures: Totals) -> Cell:
    """Say how near the tighter of the two bounds on what is held in memory is."""
    held = [(figures.buffered_bytes, figures.max_bytes), (figures.buffered_rows, figures.max_rows)]
    parts = [has / most for has, most in held if has is not None and most]
    if not parts:
        return ""
    return f"{max(parts):.0%} full", LOOK if max(parts) >= _NEARLY_FULL else ""
