"""Examines Kafka: addresses, brokers, clocks, topics, rights, the group; each as far as those before it allow."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from penstock.cli.doctor.access import judge_access, principal
from penstock.cli.doctor.brokers import judge_addresses, judge_advertised, judge_release
from penstock.cli.doctor.clocks import judge_controller, judge_newest
from penstock.cli.doctor.cluster_seen import ClusterSeen, look_at_cluster, reach_all, watch_group, without_marks
from penstock.cli.doctor.finding import ACCESS, GROUP, TOPICS, Finding
from penstock.cli.doctor.group import STABLE, GroupSeen, judge_group
from penstock.cli.doctor.topics import Lane, judge_topics
from penstock.cli.readable import Readable
from penstock.cli.remedies import KafkaTools, Own
from penstock.consumer.lane import roles
from penstock.schemas.errors import TransportError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.problems import Reached

WATCH_S: Final = 3.0

Watching = Callable[[str, float], AbstractContextManager[Callable[[float], None]]]


@dataclass(slots=True)
class KafkaExamination:
    """One examination of the cluster that the settings name.

    Args:
        readable: the settings.
        own: the options of the command line, for remedies.
        timeout_s: bound on each call.
        watching: opens a display of how far the watch of the group is.
        watch_s: how long requests may wait without moving until they count as stuck.
        wall_clock: seconds since the epoch, by our clock.

    Attributes:
        members: of the group, once it was looked at.
    """

    readable: Readable
    own: Own
    timeout_s: float
    watching: Watching
    watch_s: float = WATCH_S
    wall_clock: Callable[[], float] = time.time
    members: int = 0
    _options: dict[str, Any] = field(init=False)
    _tools: KafkaTools = field(init=False)

    def __post_init__(self) -> None:
        self._options = self.readable.kafka.client_options()
        self._tools = KafkaTools.of(self.readable.kafka)

    async def run(self) -> list[Finding]:
        """Look at everything that can be looked at."""
        tried = await reach_all(self.readable.kafka.bootstrap_servers, self._options, self.timeout_s)
        found = judge_addresses(tried, self._options)
        answering = [each for each in tried if each.problem is None]
        if not answering:
            return [*found, *_not_seen("no broker answers")]
        found += await self._brokers(answering)
        servers = [each.address for each in answering]
        try:
            async with ClusterReader(
                {**self._options, "bootstrap_servers": servers}, timeout_s=self.timeout_s
            ) as reader:
                return found + await self._inside(reader)
        except TransportError as error:
            return [*found, *_not_seen(str(error).splitlines()[0].rstrip("."))]

    async def _brokers(self, answering: list[Reached]) -> list[Finding]:
        given = self.readable.kafka.bootstrap_servers
        first, by_address = answering[0], {each.address: each for each in answering}
        assert first.cluster is not None  # it answered
        nodes = first.cluster.nodes
        others = [node.address for node in nodes if node.address not in by_address]
        by_address |= {each.address: each for each in await reach_all(others, self._options, self.timeout_s)}
        advertised = {node.node_id: by_address[node.address] for node in nodes}
        return [judge_release(first, first.cluster), *judge_advertised(advertised, given, self._options)]

    async def _inside(self, reader: ClusterReader) -> list[Finding]:
        lane = self.readable.worker
        seen = await look_at_cluster(
            reader,
            topics=roles(lane),
            request_topics=lane.request_topics,
            group=self.readable.group_id,
            timeout_s=self.timeout_s,
            wall_clock=self.wall_clock,
        )
        group = seen.group
        if group is not None:
            self.members = len(group.group.members)
            if group.group.members and (group.waiting or group.group.state != STABLE):
                group = await self._watched(reader, group)
            seen = replace(seen, group=group)
        return self._judge(seen)

    async def _watched(self, reader: ClusterReader, group: GroupSeen) -> GroupSeen:
        """Return the group after a while; as it was where it can't be looked at again, as other findings remain."""
        try:
            with self.watching(f"watching group {group.name}", self.watch_s) as moved:
                group = await watch_group(reader, group, watch_s=self.watch_s, timeout_s=self.timeout_s, moved=moved)
        except TransportError:
            return group
        return await without_marks(self._options, group, timeout_s=self.timeout_s)

    def _judge(self, seen: ClusterSeen) -> list[Finding]:
        lane, group = self.readable.worker, seen.group
        found = judge_controller(seen.controller, controlled=seen.controlled)
        found += judge_newest(seen.newest_ms, self.wall_clock())
        found += judge_topics(seen.cluster.topics, seen.settings, self._lane(seen))
        named = (group.name, group.group) if group is not None else None
        found += judge_access(seen.cluster.topics, roles(lane), named, principal(self._options), self._tools)
        if group is None:
            found.append(GROUP.skipped("members", seen.no_group))
        elif group.group.hidden:
            found.append(GROUP.skipped("members", f"group {group.name}: no right to look at it"))
        else:
            found += judge_group(group, self._tools, self.own.command("worker"), lane.request_topics)
        return found

    def _lane(self, seen: ClusterSeen) -> Lane:
        readable = self.readable
        return Lane(
            roles=roles(readable.worker),
            sizes=readable.sizes,
            limited="limits.max_bytes" in readable.given,
            processes=max(readable.worker.processes, self.members),
            brokers=len(seen.cluster.nodes),
            auto_create=seen.auto_create,
            user=principal(self._options),
            create=self.own.command("topics", "create"),
            tools=self._tools,
        )


def _not_seen(reason: str) -> list[Finding]:
    sections = ((TOPICS, "topics"), (ACCESS, "rights"), (GROUP, "group"))
    return [section.skipped(check, reason) for section, check in sections]
