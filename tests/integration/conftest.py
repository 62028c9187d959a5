"""One worker, as a process of its own, for the tests that leave it as they found it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.embedding import note_tasks
from tests.support.lane import PARTITIONS, Lane, new_lane
from tests.support.worker_process import WorkerProcess, variables


@pytest.fixture(autouse=True)
async def _tasks_there_before() -> None:
    note_tasks()


@dataclass(frozen=True)
class Served:
    """A lane, the worker on it, and a reply topic with three partitions that requests may name."""

    lane: Lane
    process: WorkerProcess
    other_replies: str


@pytest.fixture(scope="session")
async def served(bootstrap: str, models: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    lane = await new_lane(bootstrap, "served")
    other = await lane.create(f"{lane.replies}-other", 3)
    allowed = {"worker__allowed_reply_topics": f"{lane.replies}-*,{lane.requests}"}
    log = tmp_path_factory.mktemp("served") / "worker.log"
    async with WorkerProcess(log, variables(lane, models, **allowed)) as process:
        await process.ready()
        yield Served(lane, process, other)


async def ask(served: Served, records, topic: str | None = None, *, replies: int | None = None) -> list[Any]:
    """Send records (partition, key, value, headers), and return for each the reply, or replies, that name it.

    Where they come is `topic`, the lane's own reply topic by default.
    """
    sent = await served.lane.send(records)
    sources = {f"{each.topic}/{each.partition}/{each.offset}": place for place, each in enumerate(sent)}
    wanted = len(sources) if replies is None else replies

    def ours(found: list[Any]) -> list[Any]:
        return [record for record in found if dict(record.headers)["penstock-source"].decode() in sources]

    partitions = 3 if topic == served.other_replies else PARTITIONS
    found = await served.lane.read(topic, enough=lambda all_: len(ours(all_)) >= wanted, partitions=partitions)
    return sorted(ours(found), key=lambda record: sources[dict(record.headers)["penstock-source"].decode()])
