"""One worker and one lane for the whole table."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from penstock.transport.topics import create_topics
from tests.bad_input import served_models
from tests.bad_input.desk import MOST_BYTES, Desk, fresh
from tests.support.lane import PARTITIONS, Lane
from tests.support.worker_inside import InsideWorker

# A topic that takes records of any time, which brokers refuse otherwise; and of 10 MB.
ANY_RECORD = {
    "max.message.bytes": str(MOST_BYTES),
    "message.timestamp.after.max.ms": str(2**63 - 1),
    "message.timestamp.before.max.ms": str(2**63 - 1),
}
MOST_REPLY_BYTES = 100_000


@pytest.fixture(scope="package")
async def desk(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """A worker that may reply to every topic whose name begins as those of its lane do."""
    models = served_models.make(tmp_path_factory.mktemp("bad-input"))
    lane = await _lane(bootstrap)
    settings: dict[str, Any] = {
        "worker__allowed_reply_topics": f"{lane.replies}*,{lane.requests}*,{lane.group}-control,{lane.group}-status",
        "worker__max_reply_bytes": MOST_REPLY_BYTES,
        "control__enabled": True,  # its topics are for no replies; nobody commands
        "control__signing": "off",
    }
    async with InsideWorker(lane, models, **settings) as worker, Desk(lane, worker) as desk:
        yield desk


async def _lane(bootstrap: str) -> Lane:
    lane = fresh(bootstrap, "bad-input")
    options = {"bootstrap_servers": bootstrap}
    await create_topics(options, {lane.requests: PARTITIONS}, configs=ANY_RECORD, replication_factor=1)
    others = {lane.replies: PARTITIONS, f"{lane.replies}-other": PARTITIONS, lane.dead_letters: 1}
    others |= {f"{lane.group}-{name}": 1 for name in ("private", "control", "status")}
    await create_topics(options, others, replication_factor=1)
    return lane
