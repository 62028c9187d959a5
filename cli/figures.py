"""Figures as people read them: durations, sizes and counts, written in one way by every command. Pure."""

import math
from typing import Final

NOTHING: Final = "-"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def duration(value_s: float | None) -> str:
    """Return a time in up to 7 characters: 0.31 ms, 12.4 ms, 312 ms, 1.20 s, 29.7 s, 60 min, 2.5 h, 7 d.

    What is not known, None or not a number, is a dash.
    """
    if value_s is None or math.isnan(value_s):
        return NOTHING
    if value_s < 0.9995:
        value_ms = value_s * 1000
        return f"{value_ms:.2f} ms" if value_ms < 0.995 else f"{value_ms:.{1 if value_ms < 99.95 else 0}f} ms"
    if value_s < 2 * _MINUTE_S:
        return f"{value_s:.{2 if value_s < 9.995 else 1 if value_s < 99.95 else 0}f} s"
    if value_s < 2 * _HOUR_S:
        return f"{value_s / _MINUTE_S:.0f} min"
    value, unit = (value_s / _HOUR_S, "h") if value_s < 2 * _DAY_S else (value_s / _DAY_S, "d")
    return f"{value:.{1 if value < 99.95 else 0}f}".removesuffix(".0") + f" {unit}"


def size(value: float | None) -> str:
    """Return bytes in up to 8 characters: 588 B, 1.5 KiB, 64 MiB, 1.2 GiB; a dash for None."""
    if value is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if value >= 9.95 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def counted(count: float, one: str, many: str = "") -> str:
    """Return a number of things: 1 fault, 1,204 faults, 1.5 cores.

    Args:
        count: how many.
        one: the word for one of them.
        many: the word for any other number, where it is not that for one with an s.
    """
    number = f"{count:g}" if isinstance(count, float) else f"{count:,}"
    return f"{number} {one if count == 1 else many or one + 's'}"
