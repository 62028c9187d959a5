"""A model repository whose versions tell themselves apart, and who watches them while they are switched.

adder    y = x + 1000 times the version. 1 to 3 are good and the settings serve 1; the others are
         broken       raises when it is loaded
         wide         takes two numbers instead of one
         fickle       says something else each time
         slow         takes a second to load
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from penstock import Worker
from penstock.producer.control.control import Control
from penstock.schemas.control.status import WorkerStatus
from tests.support.embedding import client, on
from tests.support.lane import Lane
from tests.support.waiting import until

BROKEN, WIDE, FICKLE, SLOW = "11", "12", "13", "14"

_MODEL = """
import itertools
import time
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP64", ({width},)),), outputs=(TensorSpec("y", "FP64", ({width},)),))
number = itertools.count()

def load(path):
    {load}

def predict(inputs):
    return {{"y": inputs["x"] + 1000.0 * {version} + {extra}}}
"""


def adders(root: Path) -> Path:
    """Fill a folder and return it."""
    for version in ("1", "2", "3"):
        add(root, version)
    add(root, BROKEN, load="raise ValueError('no')")
    add(root, WIDE, width=2)
    add(root, FICKLE, extra="100.0 * next(number)")
    add(root, SLOW, load="time.sleep(1.0)")
    (root / "adder" / "config.pbtxt").write_text("version_policy { specific { versions: [1] } }")
    return root


def add(
    root: Path, version: str, *, load: str = "pass", width: int = 1, extra: str = "0", model: str = "adder"
) -> None:
    """Add a version to a repository."""
    folder = root / model / version
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(_MODEL.format(version=version, load=load, width=width, extra=extra))


def worker(lane: Lane, models: Path | dict[str, Any], **settings: Any) -> Worker:
    """A worker that follows commands; signatures are not looked at unless the settings say so."""
    follows = {"control__enabled": True, "control__signing": "off", "control__report_interval_s": 0.2}
    return Worker(models, **{**on(lane), **follows, **settings})


def commands(lane: Lane, **options: Any) -> Control:
    """Whoever commands."""
    return Control(lane.bootstrap, lane.group, **{"signing": "off", **options})


async def settled(control: Control, *, at: int | None, workers: int = 1) -> list[WorkerStatus]:
    """Return the statuses once so many workers have followed the log to an offset."""

    assert at is not None

    async def found() -> list[WorkerStatus]:
        live = [each for each in await control.status() if each.state == "running"]
        done = [each for each in live if each.epoch >= at and not each.pending]
        return done if len(done) == workers else []

    return list(await until(found, every_s=0.1, what=f"{workers} workers at offset {at}"))


class Traffic:
    """Requests without end, each answer held against the version that it names.

    Attributes:
        versions: which versions have answered, in order, each change once.
        answered: how many answers there were.
    """

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.answered = 0
        self.epochs: list[int] = []

    async def run(self, lane: Lane) -> None:
        """Send until cancelled. Raises: AssertionError or ServiceError at the first answer that is wrong."""
        async with client(lane) as caller:
            await asyncio.gather(*(self._send(caller, number) for number in range(8)))

    async def _send(self, caller: Any, number: int) -> None:
        for turn in range(1_000_000):
            x = float(number + 8 * (turn % 100))
            answer = await caller.predict("adder", [[x]], key=str(number))
            assert answer["y"].tolist() == [[x + 1000.0 * float(answer.version)]], answer
            self.answered += 1
            self.epochs.append(answer.epoch)
            if not self.versions or self.versions[-1] != answer.version:
                self.versions.append(answer.version)

    async def until_answered_by(self, version: str) -> None:
        """Wait for the first answer of a version."""
        await until(lambda: version in self.versions, what=f"an answer of version {version}")

    async def more(self, answers: int = 50) -> None:
        """Wait for so many more answers."""
        enough = self.answered + answers
        await until(lambda: self.answered >= enough, what=f"{answers} more answers")


@asynccontextmanager
async def traffic(lane: Lane) -> AsyncIterator[Traffic]:
    """Requests in the background; what is wrong with their answers is raised at the end."""
    running = Traffic()
    task = asyncio.create_task(running.run(lane))
    try:
        yield running
    finally:
        if not task.done():
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
