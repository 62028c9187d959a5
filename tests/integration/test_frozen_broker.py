"""A broker stands still, and no operation hangs: each ends as it says by its deadline, or goes on when the broker does.

All of them are interrupted by one and the same stop, each at a moment of its own: `tests/support/frozen/`.
"""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from penstock.broker import EmbeddedKafka
from penstock.broker.node import KafkaNode
from penstock.transport.control.topics import ensure_control_topics
from penstock.transport.topics import create_topics
from tests.support import cluster
from tests.support.frozen import clients, commands, serving, starting
from tests.support.frozen.scene import MARGIN_S, Scene, name_of
from tests.support.lane import Lane

OPERATIONS = (*starting.OPERATIONS, *serving.OPERATIONS, *clients.OPERATIONS, *commands.OPERATIONS)


async def lanes(bootstrap: str) -> dict[str, Lane]:
    """Make topics of one partition for all who need some of their own."""
    names = ("served", "publisher", *starting.LANES, *serving.LANES, *commands.LANES)
    found = {name: Lane(bootstrap, f"{name}-requests", f"{name}-replies", f"{name}-group") for name in names}
    topics = [topic for lane in found.values() for topic in (lane.requests, lane.replies)]
    await create_topics(
        {"bootstrap_servers": bootstrap},
        dict.fromkeys((*topics, found["burier"].dead_letters), 1),
        replication_factor=1,
        timeout_s=60.0,
    )
    for name in commands.LANES:
        group = found[name].group
        await ensure_control_topics({"bootstrap_servers": bootstrap}, f"{group}-control", f"{group}-status")
    return found


@pytest.fixture(scope="module")
async def ended(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each operation failed, by its name; empty where all was as it had to be."""
    if reason := cluster.foreign():
        pytest.skip(reason)
    async with EmbeddedKafka(heap_mb=384, version=cluster.version()) as kafka:
        made = await lanes(kafka.bootstrap_servers)
        scene = Scene(kafka.nodes[0], made, models, tmp_path_factory.mktemp("frozen"))
        async with serving.worker(scene, "served"):
            return await scene.play(OPERATIONS)


@pytest.mark.parametrize("operation", [name_of(operation) for operation in OPERATIONS])
def test_it_ends_as_it_says_or_goes_on_where_the_broker_does(ended: dict[str, str], operation: str) -> None:
    if ended[operation]:
        pytest.fail(ended[operation], pytrace=False)  # its traceback is that of another task


async def test_what_hangs_and_what_was_not_interrupted_is_found(tmp_path: Path) -> None:
    scene = Scene(cast(KafkaNode, None), {}, tmp_path, tmp_path)
    with pytest.raises(AssertionError, match="it hangs"):
        await scene.ends(asyncio.Event().wait(), 0.01 - MARGIN_S)
    answered = scene.gate.arm("client", "FetchRequest")
    answered.answered = True
    with pytest.raises(AssertionError, match="not interrupted"):
        await scene.ends(asyncio.sleep(0), 1.0, answered)
    scene.resumed.set()
    with pytest.raises(AssertionError, match="the broker came back"):
        await scene.ends(asyncio.sleep(0), 1.0)


def test_each_moment_is_another_one() -> None:
    assert len({name_of(operation) for operation in OPERATIONS}) == len(OPERATIONS) >= 20
