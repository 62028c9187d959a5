"""What can be seen of a cluster for the doctor's checks, gathered in a few calls side by side."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiokafka.structs import TopicPartition

from penstock.cli.doctor.clocks import Clock
from penstock.cli.doctor.group import STABLE, GroupSeen
from penstock.cli.doctor.leftovers import hold_requests
from penstock.schemas.errors import TransportError
from penstock.transport.cluster import Cluster
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.membership import GroupReader
from penstock.transport.offsets import Place, lags
from penstock.transport.problems import Reached
from penstock.transport.reach import reach

_LOOK_AGAIN_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """A cluster at one moment.

    Attributes:
        cluster: brokers and the service's topics.
        settings: by topic; those one may not see are left out.
        auto_create: whether brokers make a topic when it is named; None where that may not be seen.
        newest_ms: by partition of request topics, the highest timestamp.
        controller: the controller's clock; None where it may not be seen.
        controlled: whether a controller answers.
        group: None where there is none to look at.
        no_group: why there is none.
    """

    cluster: Cluster
    settings: Mapping[str, Mapping[str, str]]
    auto_create: bool | None
    newest_ms: Mapping[TopicPartition, int]
    controller: Clock | None
    group: GroupSeen | None
    no_group: str = ""
    controlled: bool = True


async def reach_all(addresses: Iterable[str], client_options: Mapping[str, Any], timeout_s: float) -> list[Reached]:
    """Try addresses side by side, and return what came of each, in order."""
    return await asyncio.gather(*(reach(each, client_options, timeout_s=timeout_s) for each in addresses))


async def look_at_cluster(
    reader: ClusterReader,
    *,
    topics: Iterable[str],
    request_topics: Iterable[str],
    group: str | None,
    timeout_s: float,
    wall_clock: Callable[[], float],
) -> ClusterSeen:
    """Look at all that the checks need.

    Raises:
        TransportError: no broker answered by the deadline.
    """
    cluster = await reader.describe(topics)
    there = [topic for topic in request_topics if cluster.topics[topic].partitions]
    settings, auto_create, newest, (controller, controlled), (seen, no_group) = await asyncio.gather(
        reader.topic_settings([name for name, topic in cluster.topics.items() if topic.partitions]),
        _auto_create(reader, cluster),
        reader.offsets(cluster, there, Place.NEWEST),
        _controller_clock(reader, wall_clock),
        _look_at_group(reader, cluster, there, group, timeout_s),
    )
    newest_ms = {place: found.timestamp_ms for place, found in newest.items() if found.timestamp_ms > 0}
    return ClusterSeen(cluster, settings, auto_create, newest_ms, controller, seen, no_group, controlled)


async def watch_group(
    reader: ClusterReader, seen: GroupSeen, *, watch_s: float, timeout_s: float, moved: Callable[[float], None]
) -> GroupSeen:
    """Look again until all that waits has moved and the group is stable, or the time is up.

    Args:
        reader: connected.
        seen: the group at the beginning.
        watch_s: how long to look.
        timeout_s: bound on finding its coordinator.
        moved: called with the seconds that have passed since the last call.
    """
    group, began = GroupReader(reader, seen.name, timeout_s=timeout_s), time.monotonic()
    while True:
        last = time.monotonic()
        await asyncio.sleep(min(_LOOK_AGAIN_S, watch_s))
        members, commits = await asyncio.gather(group.describe(), group.committed())
        moved(time.monotonic() - last)
        watched_s = time.monotonic() - began
        seen = replace(seen, group=members, after=commits or {}, watched_s=watched_s)
        settled = members.state == STABLE or not members.members
        if watched_s >= watch_s or (settled and not seen.still):
            return seen


async def without_marks(client_options: Mapping[str, Any], seen: GroupSeen, *, timeout_s: float) -> GroupSeen:
    """Find out which of the partitions that do not move hold no request."""
    if not seen.still:
        return seen
    places = {place: (seen.lags[place].next_offset, seen.lags[place].end) for place in seen.still}
    holding = await hold_requests(client_options, places, timeout_s=timeout_s)
    return replace(seen, empty=frozenset(places) - holding)


async def _auto_create(reader: ClusterReader, cluster: Cluster) -> bool | None:
    for node in cluster.nodes[:1]:
        said = (await reader.broker_settings(node.node_id)).get("auto.create.topics.enable")
        return None if said is None else said == "true"
    return None


async def _controller_clock(reader: ClusterReader, wall_clock: Callable[[], float]) -> tuple[Clock | None, bool]:
    before, began = wall_clock(), time.monotonic()
    try:
        theirs_ms = await reader.controller_clock_ms()
    except TransportError:
        return None, False
    half_s = (time.monotonic() - began) / 2
    if theirs_ms is None:
        return None, True
    return Clock("the controller", theirs_ms / 1000 - before - half_s, half_s), True


async def _look_at_group(
    reader: ClusterReader, cluster: Cluster, request_topics: list[str], name: str | None, timeout_s: float
) -> tuple[GroupSeen | None, str]:
    if name is None:
        return None, "worker.group_id is not set"
    group = GroupReader(reader, name, timeout_s=timeout_s)
    try:
        described, commits = await asyncio.gather(group.describe(), group.committed())
    except TransportError as error:  # without its coordinator the rest can still be looked at
        return None, str(error).splitlines()[0].rstrip(".")
    beginnings, ends = await asyncio.gather(
        reader.offsets(cluster, request_topics, Place.BEGINNING), reader.offsets(cluster, request_topics, Place.END)
    )
    committed = commits or {}
    return GroupSeen(name, described, lags(beginnings, ends, committed), committed), ""
