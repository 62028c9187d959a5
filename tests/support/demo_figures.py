"""Figures of a demo that has gone well, or otherwise."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cli.demo.batches import Batches
from penstock.cli.demo.commanded import Commanded, Scene
from penstock.cli.demo.figures import Example, Figures, ModelFigures
from penstock.cli.demo.load import Tally


def tally(
    right: Mapping[str, int] | None = None,
    wrong: Mapping[str, int] | None = None,
    missing: Sequence[str] = (),
    wanted: int | None = None,
    latencies_s: Sequence[float] = (0.2,) * 10,
) -> Tally:
    """What came of some questions, all of which were asked unless `wanted` says more."""
    rights, wrongs = Counter(right or {"a": 10}), Counter(wrong or {})
    total = rights.total() + wrongs.total() + len(missing)
    return Tally(wanted or total, rights, wrongs, list(missing), seconds=2.0, latencies_s=list(latencies_s))


def commanded(**changes: Any) -> Commanded:
    """A command that both workers did, with changes."""
    given: dict[str, Any] = {"command": "deploy a@2", "workers": 2, "applied": 2, "unlike": (), "seconds": 0.12}
    return Commanded(**{**given, **changes})


def scene(*commands: Commanded, misplaced: int = 0) -> Scene:
    """Commands, by default one that gives a tenth to a version."""
    return Scene(commands or (commanded(shares={"1": 0.9, "2": 0.1}),), misplaced, "Version 2 has R² 0.5.")


def figures(**changes: Any) -> Figures:
    """Everything, with changes."""
    given: dict[str, Any] = {
        "kafka": "4.3.0",
        "processes": 2,
        "models": (
            ModelFigures("breast-cancer", "gradient boosting", 398, 171, 171, "accuracy", 0.9532, 1560.0),
            ModelFigures("diabetes", "linear regression", 309, 133, 133, "r2", 0.502, 1535.4),
        ),
        "held_out": tally(),
        "load": tally(),
        "calm": tally(latencies_s=(0.0042,) * 10),
        "in_flight": 1000,
        "batches": {"a": Batches(2, 80), "b": Batches(1, 10)},
        "calm_batches": {"a": Batches(10, 10)},
        "control": tally(),
        "scene": scene(),
        "example": Example("breast-cancer", "1", "demo-requests/5/17", "class 1 at 0.9934", "class 1 at 0.9934"),
        "replies": 40,
        "doubles": 0,
        "seconds": 13.84,
        "steps_s": {"Apache Kafka": 3.1},
    }
    return Figures(**{**given, **changes})
