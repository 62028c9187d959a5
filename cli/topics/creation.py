"""Makes the topics of a service, and compares those that are there with what would have been made."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from pydantic import Field

from penstock.cli.remedies import KafkaTools
from penstock.cli.topics.control_roles import control_roles
from penstock.cli.topics.plan import (
    Difference,
    TopicPlan,
    commands,
    control_plan,
    differences,
    plan,
    replication_for,
)
from penstock.consumer.lane import Sizes
from penstock.consumer.lane_settings import LaneSettings
from penstock.core.configuration import Settings
from penstock.core.settings import LimitsSettings
from penstock.transport.cluster import Cluster
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.control.settings import ControlSettings
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import create_topics

_HEARD_OF_S: Final = 10.0  # until every broker should have heard of a new topic


class TopicSettings(Settings):
    """The part of the settings that making topics needs."""

    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="The connection to the cluster.")
    worker: LaneSettings = Field(default_factory=LaneSettings, description="Where requests come and replies go.")
    limits: LimitsSettings = Field(default_factory=LimitsSettings, description="How large a request may be.")
    control: ControlSettings = Field(default_factory=ControlSettings, description="Who may say what serves.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for; None is what suits."""

    partitions: int
    replication: int | None = None
    retention_s: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a planned topic, with the numbers that it has now.

    Attributes:
        created: by us, just now; else it was there.
        differences: how one that was there differs from its plan.
        commands: change what should be changed of that.
        settings_seen: False where one may not see its settings, so that they were not compared.
    """

    name: str
    role: str
    partitions: int
    replication: int
    created: bool
    differences: list[Difference] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    settings_seen: bool = True


async def planned(settings: TopicSettings, wanted: Wanted) -> list[TopicPlan]:
    """Plan the topics; asks the cluster for its size where the number of copies is not given.

    Raises:
        ConfigurationError: the topics of control cannot be named.
        TransportError: that was asked, and no broker answered.
    """
    of_control = control_roles(settings.worker, settings.control)
    replication = wanted.replication
    if replication is None:
        async with ClusterReader(settings.kafka.client_options()) as reader:
            replication = replication_for(len((await reader.describe([])).nodes))
    of_requests = plan(
        settings.worker,
        Sizes.of(settings.worker, settings.limits),
        partitions=wanted.partitions,
        replication=replication,
        retention_s=wanted.retention_s,
    )
    return of_requests + control_plan(of_control, replication)


async def make(settings: TopicSettings, wanted: Wanted, tools: KafkaTools) -> list[Made]:
    """Make the topics that are missing.

    Raises:
        TransportError: no broker answered, or it refused.
    """
    plans = await planned(settings, wanted)
    names = [each.name for each in plans]
    async with ClusterReader(settings.kafka.client_options()) as reader:
        before = await reader.describe(names)
        missing = [each for each in plans if not before.topics[each.name].partitions]
        created = await _create(settings, missing)
        after = await _listed(reader, names)
        found = await reader.topic_settings(names)
    made = []
    for each in plans:
        topic, own = after.topics[each.name], each.name in created
        differs = [] if own else differences(each, topic, found.get(each.name))
        mending = commands(each.name, differs, tools)
        counts = (len(topic.partitions), topic.replication) if topic.partitions else (each.partitions, each.replication)
        made.append(Made(each.name, each.role, *counts, own, differs, mending, own or each.name in found))
    return made


async def _listed(reader: ClusterReader, names: list[str]) -> Cluster:
    """Return the topics once the broker that is asked has heard of all of them, or the deadline comes."""
    deadline = time.monotonic() + _HEARD_OF_S
    while True:
        cluster = await reader.describe(names)
        if all(cluster.topics[name].partitions for name in names) or time.monotonic() > deadline:
            return cluster
        await asyncio.sleep(0.05)


async def _create(settings: TopicSettings, missing: list[TopicPlan]) -> set[str]:
    if not missing:
        return set()
    created = await create_topics(
        settings.kafka.client_options(),
        {each.name: each.partitions for each in missing},
        own_configs={each.name: each.settings for each in missing},
        replication_factor=missing[0].replication,
    )
    return set(created)
