"""Numbers in few characters, for columns of fixed width: a figure keeps its width while it changes. Pure."""

from collections.abc import Sequence
from typing import Final

from penstock.cli.figures import NOTHING

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS: Final = " .:-=+*#@"  # where the terminal has ASCII alone


def count(value: float | None) -> str:
    """Return a whole number in up to 7 characters: 1,204 or 12.3M."""
    if value is None:
        return NOTHING
    if value < 999_999.5:
        return f"{value:,.0f}"
    for unit in "MGTP":
        value /= 1000 if unit != "M" else 1_000_000
        if value < 999.5:
            return f"{value:.1f}{unit}"
    return f"{value:.0f}P"


def per_second(value: float | None) -> str:
    """Return a rate in up to 9 characters: 4,107/s, 0.3/s."""
    if value is None:
        return NOTHING
    if 0 < value < 0.05:
        return "<0.1/s"
    return f"{value:.1f}/s" if 0 < value < 9.95 else f"{count(value)}/s"


def span(value_s: float | None) -> str:
    """Return how long something has been, for a person: 14 s, 3 min, 2 h 14 min, 3 d 4 h."""
    if value_s is None:
        return NOTHING
    seconds = int(value_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def share(value: float | None) -> str:
    """Return a part of one in up to 6 characters: 0.3 %, 12 %."""
    if value is None:
        return NOTHING
    percent = value * 100
    if 0 < percent < 0.05:
        return "<0.1 %"
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def rows(value: float | None) -> str:
    """Return rows of a batch in up to 6 characters: 1.4, 38, 1,024."""
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value < 9.95 and value != round(value) else f"{value:,.0f}"


def cut(text: str, width: int) -> str:
    """Return text in no more than `width` characters, without its middle if need be: names differ at both ends."""
    if len(text) <= width:
        return text
    if width < 8:
        return text[: max(width, 0)]
    tail = (width - 2) // 2
    return f"{text[: width - 2 - tail]}..{text[-tail:]}"


def chart(values: Sequence[float], width: int, height: int, *, plain: bool = False) -> list[str]:
    """Draw the newest values as bars, the newest at the right; the highest one fills the height.

    Args:
        values: not negative.
        width: of the chart, in characters.
        height: of the chart, in lines.
        plain: without characters beyond ASCII.

    Returns:
        Its lines, each `width` long.
    """
    blocks = _PLAIN_BLOCKS if plain else _BLOCKS
    shown = list(values[-width:])
    top = max(shown, default=0.0)
    # What is not zero is seen, however small.
    eighths = [max(1, round(value / top * height * 8)) if value > 0 else 0 for value in shown]
    lines = []
    for line in range(height - 1, -1, -1):
        drawn = "".join(blocks[min(8, max(0, each - line * 8))] for each in eighths)
        lines.append(drawn.rjust(width))
    return lines
