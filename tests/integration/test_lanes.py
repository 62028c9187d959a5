"""Request topics that are paused, drained and weighted, on a worker that serves from a real Kafka."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from penstock.schemas.control.specs import Lane as Wanted
from tests.support.lane import PARTITIONS, Lane
from tests.support.messages import by_source, infer, source_of
from tests.support.waiting import until
from tests.support.worker_inside import InsideWorker


@pytest.fixture
async def other(lane: Lane) -> Lane:
    """A second request topic of the same service."""
    return replace(lane, requests=await lane.create(f"{lane.requests}-other"))


@pytest.fixture
async def inside(inside_worker, lane: Lane, other: Lane) -> AsyncIterator[InsideWorker]:
    """A worker that reads both."""
    both = f"{lane.requests},{other.requests}"
    async with inside_worker(worker__request_topics=both) as worker:
        await until(lambda: worker.value("penstock_assigned_partitions") == 2 * PARTITIONS)
        yield worker


def some(count: int, first: int = 0, delay_s: float = 0.0) -> list[Any]:
    return [(at % PARTITIONS, b"k", infer([first + at, 0, delay_s]), []) for at in range(count)]


def answered(lane: Lane, replies: list[Any]) -> int:
    return sum(source_of(reply).startswith(f"{lane.requests}/") for reply in replies)


async def test_a_paused_lane_is_not_read_and_another_is(lane: Lane, other: Lane, inside: InsideWorker):
    inside.worker.lanes.apply({lane.requests: Wanted(state="paused")})
    await lane.send(some(50))
    await other.send(some(50))
    replies = await lane.read(enough=50)
    await until(lambda: len(inside.worker._consumer.paused()) == PARTITIONS)
    assert (answered(lane, replies), answered(other, replies)) == (0, 50)
    assert inside.worker.lanes.report() == {lane.requests: "paused"}
    assert inside.value("penstock_paused") == 0, "that is for back-pressure"

    inside.worker.lanes.apply({})
    assert answered(lane, await lane.read(enough=100)) == 50
    assert inside.worker.lanes.report() == {}
    await lane.wait_until_committed()


async def test_a_draining_lane_is_served_to_where_it_ended_and_no_further(
    lane: Lane, other: Lane, inside: InsideWorker
):
    inside.worker.lanes.apply({lane.requests: Wanted(state="paused")})
    await lane.send(some(80))
    await until(lambda: len(inside.worker._consumer.paused()) == PARTITIONS)
    inside.worker.lanes.apply({lane.requests: Wanted(state="draining")})
    await until(lambda: inside.worker.lanes.report() == {lane.requests: "drained"}, what="it is drained")
    assert len(await lane.read(enough=80)) == 80

    await lane.send(some(40, first=100))
    await other.send(some(40))
    replies = await lane.read(enough=120)
    assert (answered(lane, replies), answered(other, replies)) == (80, 40)

    inside.worker.lanes.apply({lane.requests: Wanted()})
    replies = await lane.read(enough=160)
    assert answered(lane, replies) == 120
    assert len(by_source(replies)) == len(replies)


async def test_a_lane_with_nothing_in_it_is_drained_at_once(lane: Lane, inside: InsideWorker):
    inside.worker.lanes.apply({lane.requests: Wanted(state="draining")})
    await until(lambda: inside.worker.lanes.report() == {lane.requests: "drained"})


async def test_full_lanes_are_served_by_their_weights(lane: Lane, other: Lane, inside: InsideWorker):
    weights = {lane.requests: Wanted(state="paused", weight=4), other.requests: Wanted(state="paused")}
    inside.worker.lanes.apply(weights)
    await lane.send(some(6_000, delay_s=0.05))
    await other.send(some(6_000, delay_s=0.05))
    inside.worker.lanes.apply({topic: each.model_copy(update={"state": "running"}) for topic, each in weights.items()})
    replies = await lane.read(enough=12_000)

    replies.sort(key=lambda reply: reply.timestamp)
    early = Counter(source_of(reply).split("/")[0] for reply in replies[:6_500])
    assert 2.8 < early[lane.requests] / early[other.requests] < 5.5, early
    assert len(by_source(replies)) == len(replies)
