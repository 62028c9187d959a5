"""Examines services as `penstock doctor` does, in the test's own process."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from penstock.cli.doctor.examination import examine
from penstock.cli.doctor.finding import Finding
from penstock.cli.readable import read_settings
from penstock.cli.remedies import Own
from tests.support.lane import Lane
from tests.support.worker_process import variables


@contextmanager
def _unseen(what: str, total_s: float) -> Iterator[Callable[[float], None]]:
    yield lambda moved: None


async def examined(
    settings: Mapping[str, object], *, watch_s: float = 1.5, wall_clock: Callable[[], float] = time.time
) -> list[Finding]:
    """The findings on a service with these settings, by `section.name`."""
    overrides = [f"{name}={value}" for name, value in settings.items()]
    readable = read_settings(None, None, overrides)
    return await examine(readable, Own(), timeout_s=15, watching=_unseen, watch_s=watch_s, wall_clock=wall_clock)


def settings_of(lane: Lane, models: Path, **more: object) -> dict[str, object]:
    """The settings of a service on a lane, by `section.name`."""
    named = variables(lane, models, "doubler", **more)
    return {name.removeprefix("PENSTOCK_").lower().replace("__", ".", 1): value for name, value in named.items()}
