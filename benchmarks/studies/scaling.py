"""How a service grows with its processes: rate, processor time, memory, and what a change of members costs.

    make study ARGS="scaling"               all of it, some six minutes
    make study ARGS="scaling --quick"       a minute, written to build/studies

First `penstock worker --processes 2` beside one process, on a full topic, in interleaved pairs: the ratio counts. Then
groups of several sizes: what they take when idle and at a moderate rate, and, while requests flow, how long a rebalance
takes when a worker joins, is stopped, or is killed. Kafka and the generator share the cores with them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.studies import scaling_figures
from benchmarks.studies.figures import machine, read_json, said, write_json, write_table
from benchmarks.studies.full_topic import answered
from benchmarks.studies.group_of_members import PER_SECOND, cell, estimated_s
from benchmarks.studies.stage import Stage, folder_of, options, play, stage

MEMBERS = (1, 2, 4, 8)
PARTITIONS = (8, 64)
_START_S = 15.0
_PAIR_S = 12.0  # two services, started and stopped, and what is read of them
_FILL_PER_S, _SERVE_PER_S = 60_000, 30_000  # about; for the estimate alone


def main(arguments: Sequence[str]) -> int:
    """Run the study, or draw its figures again, and return the exit status."""
    parser = options(__doc__)
    parser.add_argument("--members", type=int, nargs="+", help="processes of a group")
    parser.add_argument("--partitions", type=int, nargs="+", default=PARTITIONS, help="of the topics")
    parser.add_argument("--rounds", type=int, help="how often members come, go and are killed")
    parser.add_argument("--pairs", type=int, help="interleaved pairs of one process and two")
    parser.add_argument("--count", type=int, help="requests of the full topic")
    given = parser.parse_args(arguments)
    given.members = given.members or ((1, 2) if given.quick else MEMBERS)
    given.rounds = given.rounds or (1 if given.quick else 2)
    given.pairs = (1 if given.quick else 3) if given.pairs is None else given.pairs
    given.count = given.count or (30_000 if given.quick else 100_000)
    folder = folder_of(given)
    if given.redraw:
        return play(lambda: _redraw(folder))
    pair_s = _PAIR_S + 2 * given.count * (1 / _FILL_PER_S + 1 / _SERVE_PER_S)
    cells_s = sum(estimated_s(members, given.rounds) for members in given.members) * len(given.partitions)
    said(f"About {(_START_S + given.pairs * pair_s + cells_s) / 60:.1f} minutes")
    return play(lambda: _study(folder, given))


async def _redraw(folder: Path) -> None:
    _write(folder, read_json(folder / "scaling.json"))


async def _study(folder: Path, given: argparse.Namespace) -> None:
    async with stage() as on:
        pairs = [await _pair(on, number, given.count) for number in range(given.pairs)]
        cells = []
        for partitions in given.partitions:
            for members in given.members:
                cells.append(await cell(on, members, partitions, given.rounds))
                said(scaling_figures.line(cells[-1]))
    figures = {"machine": machine(), "per_second": PER_SECOND, "count": given.count, "pairs": pairs, "cells": cells}
    write_json(folder / "scaling.json", figures)
    _write(folder, figures)
    said(f"Written to {folder}")


def _write(folder: Path, figures: dict[str, Any]) -> None:
    scaling_figures.draw(figures, folder / "scaling.svg")
    write_table(folder / "scaling.md", scaling_figures.table(figures))


async def _pair(on: Stage, number: int, count: int) -> dict[str, float]:
    """Answer a full topic by one process and by two; which goes first alternates."""
    found = {}
    for processes in (1, 2) if number % 2 == 0 else (2, 1):
        found[processes] = (await answered(on, f"full-{number}-{processes}", processes, count)).per_second
    ratio = found[2] / found[1]
    said(f"full topic, pair {number + 1}: {found[1]:,.0f}/s by 1 process, {found[2]:,.0f}/s by 2: ratio {ratio:.2f}")
    return {"one": found[1], "two": found[2], "ratio": ratio}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
