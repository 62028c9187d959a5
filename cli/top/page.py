"""The page: figures drawn for a terminal of a given size. Two layouts: below 120 columns, and from there on. Pure."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from penstock.cli.terminal import printable
from penstock.cli.top import sections, tiles
from penstock.cli.top.figures import span
from penstock.cli.top.tables import ACT, LEAST, LOOK, QUIET, Section, line, shares
from penstock.cli.top.view import View

WIDE: Final = 120
_WIDE_LINES: Final = 23  # less is too little for panels, with all notes
_LEAST: Final = 40  # columns; what is narrower shows the left part of the page
_MOST_NOTES: Final = 5  # lines
_BORDERS: Final = 2
_TIMES: Final = 48  # columns of the tile without a chart
_MODELS: Final = 74  # the least of the table of models


@dataclass(frozen=True)
class Page:
    """The page of a view, as large as where it is drawn.

    Attributes:
        view: the figures.
        hint: how to end it, on the last line of the screen; without it the page is as high as it has lines.
    """

    view: View
    hint: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        width = max(_LEAST, options.max_width)
        height = options.max_height if self.hint is not None else None
        room = 10_000 if height is None else height - 1
        head = [_header(self.view, width), *_notes(self.view, width)]
        build = _wide if width >= WIDE and room >= _WIDE_LINES else _compact
        body, used = build(self.view, width, room - len(head), options.ascii_only)
        yield from head
        yield from body
        if height is not None and self.hint is not None:
            yield from [Text()] * (room - len(head) - used)
            yield line(width, (self.hint, QUIET))


def _header(view: View, width: int) -> Text:
    asked = sum(worker.state != "no page" for worker in view.workers)
    up = f"up {span(view.uptime_s)}   " if view.uptime_s is not None else ""
    right = f"{view.ready} of {asked} ready   {up}{view.time[11:19]} "
    left = Text(f" {printable(view.group)} on {view.kafka}")
    left.truncate(width - len(right) - 1, overflow="crop", pad=True)
    return Text(f"{left.plain} {right}", style="reverse bold", no_wrap=True, overflow="crop")


def _notes(view: View, width: int) -> Iterable[Text]:
    lines = [row for note in view.notes for row in textwrap.wrap(note, width - 1, subsequent_indent="  ")]
    if len(lines) > _MOST_NOTES:
        lines[_MOST_NOTES - 1 :] = ["..."]
    style = ACT if view.kafka_problem or any(worker.state in ("gone", "silent") for worker in view.workers) else LOOK
    return [line(width, (row, style)) for row in lines]


def _compact(view: View, width: int, room: int, plain: bool) -> tuple[list[RenderableType], int]:
    del plain  # there are no charts
    totals = tiles.totals(view, width)
    tables = [table for table in _tables(view) if table.height]
    room -= len(totals)
    while tables and LEAST * len(tables) > room:
        tables.pop()
    spaced = sum(table.height + 1 for table in tables) <= room
    given = shares([table.height for table in tables], room)
    lines: list[RenderableType] = list(totals)
    for table, height in zip(tables, given, strict=True):
        lines += [Text()] if spaced else []
        lines += table.lines(width, height)
    return lines, len(lines)


def _tables(view: View) -> list[Section]:
    return [
        sections.models(view),
        sections.lanes(view),
        sections.workers(view),
        sections.errors(view),
        sections.dead_letters(view),
    ]


def _wide(view: View, width: int, room: int, plain: bool) -> tuple[list[RenderableType], int]:
    left, half = (width - _TIMES) // 2, max(_MODELS, width * 55 // 100)
    right_of = width - _TIMES - left
    tops = [
        _panel("answered", tiles.answers(view, left - 4, plain=plain), left),
        _panel("lag", tiles.lag(view, right_of - 4, plain=plain), right_of),
        _panel("time and memory", tiles.times(view, _TIMES - 4), _TIMES),
    ]
    room -= tiles.HEIGHT + _BORDERS
    models, workers = sections.models(view), sections.workers(view)
    right = [each for each in (sections.lanes(view), sections.errors(view), sections.dead_letters(view)) if each.height]
    right_height = sum(each.height for each in right) + len(right) - 1
    middle, bottom = shares(
        [max(models.height, right_height) + _BORDERS, workers.height + _BORDERS], room, LEAST + _BORDERS
    )
    side = width - half - 4
    given = shares([each.height for each in right], middle - _BORDERS - len(right) + 1)
    beside: list[Text] = []
    for table, height in zip(right, given, strict=True):
        beside += [Text()] if beside else []
        beside += table.lines(side, height)
    panels = [
        _panel("models", models.lines(half - 4, middle - _BORDERS), half, middle),
        _panel("lanes", beside, width - half, middle),
    ]
    parts: list[RenderableType] = [
        _beside(tops),
        _beside(panels),
        _panel("workers", workers.lines(width - 4, bottom - _BORDERS), width, bottom),
    ]
    return parts, tiles.HEIGHT + _BORDERS + middle + bottom


def _panel(title: str, lines: list[Text], width: int, height: int | None = None) -> Panel:
    return Panel(
        Group(*lines), title=title, title_align="left", width=width, height=height, padding=(0, 1), border_style=QUIET
    )


def _beside(panels: list[Panel]) -> Table:
    grid = Table.grid(padding=0)
    for panel in panels:
        grid.add_column(width=panel.width, no_wrap=True)
    grid.add_row(*panels)
    return grid
