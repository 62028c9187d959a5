"""What workers do on their way into their group while the broker stands still."""

import asyncio
from typing import Any

import pytest

from penstock import TransportError
from tests.support.frozen.bounds import CREATE_S, DISCONNECT_S, TOPICS_S, WHY_S
from tests.support.frozen.gate import Moment
from tests.support.frozen.scene import Scene
from tests.support.frozen.serving import all_answered, ask, worker
from tests.support.lane import Lane
from tests.support.waiting import until


async def beginning(scene: Scene, name: str, moment: Moment, **settings: Any) -> None:
    """Let a worker come to a request on its way into the group, and see that it gets there all the same."""
    lane = scene.lanes[name]
    asked = await ask(lane)
    late = worker(scene, name, **settings)
    starting = asyncio.ensure_future(late.start())
    await scene.stand(moment, work=starting)
    await scene.recovers(starting, moment)
    await all_answered(lane, asked, once="worker__delivery" in settings)
    await late.stop()


async def a_worker_starts(scene: Scene) -> None:
    await scene.stand()
    started = await scene.ends(worker(scene, "starter").start(), TOPICS_S + WHY_S + DISCONNECT_S)
    with pytest.raises(TransportError, match="no Kafka broker answers"):
        started.result()


async def a_worker_that_starts_is_told_to_end(scene: Scene) -> None:
    """It ends with the step that it is at, whatever became of that."""
    await scene.stand()
    late = worker(scene, "stopped")
    starting = asyncio.ensure_future(late.start())
    await until(lambda: late.not_ready == "the worker is starting", what="its models are loaded")
    stopped = await scene.ends(late.stop(), TOPICS_S + WHY_S + DISCONNECT_S)
    with pytest.raises(TransportError, match="no Kafka broker answers"):
        stopped.result()
    with pytest.raises(TransportError):
        await starting


async def a_worker_makes_a_topic_that_is_missing(scene: Scene) -> None:
    await scene.hurry()
    moment = scene.gate.arm("maker", "CreateTopicsRequest")
    missing = Lane(scene.node.bootstrap_server, "maker-missing", "maker-missing-replies", "maker-group")
    starting = asyncio.ensure_future(worker(scene, "maker", missing).start())
    await scene.stand(moment, work=starting)
    started = await scene.ends(starting, CREATE_S + WHY_S + DISCONNECT_S, moment)
    with pytest.raises(TransportError):
        started.result()


async def a_worker_joins_its_group(scene: Scene) -> None:
    await beginning(scene, "joiner", scene.gate.arm("joiner", "JoinGroupRequest"))


async def a_worker_opens_its_partitions(scene: Scene) -> None:
    await beginning(scene, "opener", scene.gate.arm("opener", "OffsetFetchRequest"))


async def a_worker_takes_its_partitions_over(scene: Scene) -> None:
    """With exactly-once: the producer that fences the owner before."""
    own = f"{scene.lanes['taker'].group}/{scene.lanes['taker'].requests}/0"
    moment = scene.gate.arm("taker", "InitProducerIdRequest", lambda request: request._transactional_id == own)
    await beginning(scene, "taker", moment, worker__delivery="exactly-once")


OPERATIONS = (
    a_worker_starts,
    a_worker_that_starts_is_told_to_end,
    a_worker_makes_a_topic_that_is_missing,
    a_worker_joins_its_group,
    a_worker_opens_its_partitions,
    a_worker_takes_its_partitions_over,
)
LANES = ("starter", "stopped", "joiner", "opener", "taker")
