"""The figures of all runs: a file that grows part by part.

A run is a row: what was measured (`part`: rate, latency or memory; `workload`; `contestant`; `at`, the rate of a
latency run or the backlog of a memory run), its figures, and the session that it is of. A session says when, where,
with what versions and by which command. Measuring a thing again replaces its earlier runs.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Run = dict[str, Any]
Results = dict[str, Any]
Subject = tuple[str, str, str, int]
FORMAT = 1


class ResultsError(Exception):
    """The file of results cannot be used: says which, why, and what to do."""


def load(path: Path) -> Results:
    """Read results; none where there is no file.

    Raises:
        ResultsError: it is something else.
    """
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {"format": FORMAT, "sessions": {}, "runs": []}
    except ValueError as error:
        raise ResultsError(f"{path} is no JSON: {error}\nMove it away, and measure again.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ResultsError(f"{path} is not of format {FORMAT}.\nMove it away, and measure again.")
    return found


def save(path: Path, results: Results) -> None:
    """Write results, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".part")
    written.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    written.replace(path)


def subject(run: Run) -> Subject:
    """Return what a run measured: part, workload, contestant, and `at`."""
    return run["part"], run["workload"], run["contestant"], run.get("at", 0)


def merged(old: Results, session: dict[str, Any], runs: Sequence[Run]) -> Results:
    """Return results with these runs in place of earlier ones of the same subjects.

    Args:
        old: results; stay as they are.
        session: with its `id`, which the runs carry too.
        runs: new ones.
    """
    anew = {subject(run) for run in runs}
    kept = [run for run in old["runs"] if subject(run) not in anew]
    every = sorted([*kept, *runs], key=lambda run: (*subject(run), run["round"]))
    sessions = {**old["sessions"], session["id"]: {name: value for name, value in session.items() if name != "id"}}
    used = {run["session"] for run in every}
    return {"format": FORMAT, "sessions": {name: sessions[name] for name in sorted(used)}, "runs": every}


def with_ratios(runs: Iterable[Run], reference: str) -> list[Run]:
    """Return rate runs, each with its rate over the reference's of the same round where that was measured."""
    found = list(runs)
    by_round = {(run["workload"], run["round"]): run["per_second"] for run in found if run["contestant"] == reference}
    turns = [(run["workload"], run["round"]) for run in found]
    return [
        {**run, "ratio": run["per_second"] / by_round[turn]} if turn in by_round else run
        for run, turn in zip(found, turns, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several runs, the lowest and the highest."""

    median: float
    lowest: float
    highest: float
    runs: int


def spread(values: Sequence[float]) -> Spread | None:
    """Return the spread of values, None for none."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def figure(results: Results, name: str, wanted: Subject) -> Spread | None:
    """Return the spread of one figure over the rounds of a subject; None if it was not measured."""
    return spread([run[name] for run in results["runs"] if subject(run) == wanted and name in run])
