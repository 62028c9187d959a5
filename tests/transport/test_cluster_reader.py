"""Looking at the real cluster, and changing nothing in it."""

import socket
import time

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.cluster import ClusterMetadata
from aiokafka.structs import BrokerMetadata, TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.authorized import Operation
from penstock.transport.cluster import Cluster
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.membership import GroupReader
from penstock.transport.offsets import Place, held
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import create_topics
from tests.support.lane import PARTITIONS, Lane
from tests.support.waiting import until


@pytest.fixture
async def reader(bootstrap):
    settings = KafkaSettings(bootstrap_servers=tuple(bootstrap.split(",")))
    async with ClusterReader(settings.client_options()) as reader:
        yield reader


async def described(reader: ClusterReader, topic: str) -> Cluster:
    """The cluster, once the broker that is asked has heard of a new topic."""

    async def there() -> Cluster | None:
        cluster = await reader.describe([topic])
        return cluster if cluster.topics[topic].partitions else None

    cluster: Cluster = await until(there)
    return cluster


async def test_topics_are_described_with_partitions_and_rights(reader, lane: Lane):
    cluster = await described(reader, lane.requests)
    topic = cluster.topics[lane.requests]
    assert [partition.number for partition in topic.partitions] == list(range(PARTITIONS))
    assert all(partition.leader is not None and partition.in_sync for partition in topic.partitions)
    assert topic.may is not None
    assert {Operation.READ, Operation.WRITE, Operation.DESCRIBE} <= topic.may
    assert cluster.controller is not None


async def test_a_cluster_that_tells_of_no_broker_for_a_moment_is_waited_for(bootstrap, monkeypatch):
    update, told = ClusterMetadata.update_metadata, []

    def nobody_at_first(self, metadata):
        told.append(metadata)
        return update(self, metadata) if len(told) > 2 else None

    monkeypatch.setattr(ClusterMetadata, "update_metadata", nobody_at_first)
    settings = KafkaSettings(bootstrap_servers=tuple(bootstrap.split(",")))
    async with ClusterReader(settings.client_options()) as reader:
        assert (await reader.describe([])).controller is not None
    assert len(told) == 3


async def test_naming_a_topic_does_not_create_it(reader: ClusterReader, lane: Lane):
    name = f"{lane.requests}-nowhere"
    cluster = await reader.describe([name])
    assert cluster.topics[name].partitions == ()

    # What is asked of the controller later comes later: once this topic is there, the other would be.
    later = await lane.create(f"{lane.requests}-later")
    await described(reader, later)
    assert name not in await lane.topics()


async def test_all_topics_are_described_where_none_is_named(reader: ClusterReader, lane: Lane):
    async def there() -> bool:  # a broker hears of a new topic in its own time
        return {lane.requests, lane.replies} <= (await reader.describe()).topics.keys()

    await until(there)


async def test_settings_of_topics_and_brokers_are_read(reader: ClusterReader, lane: Lane):
    name = f"{lane.requests}-kept"
    await create_topics(
        {"bootstrap_servers": lane.bootstrap},
        {name: 1, f"{name}-too": 1},
        configs={"retention.ms": "1000"},
        own_configs={name: {"cleanup.policy": "compact"}},
        replication_factor=1,
    )

    async def both() -> dict[str, dict[str, str]]:  # a broker hears of a new topic in its own time
        seen = await reader.topic_settings([name, f"{name}-too", "nowhere-to-be-found"])
        return seen if len(seen) == 2 else {}

    found = await until(both)
    assert found.keys() == {name, f"{name}-too"}
    assert (found[name]["retention.ms"], found[name]["cleanup.policy"]) == ("1000", "compact")
    assert found[f"{name}-too"]["cleanup.policy"] == "delete"
    node = (await reader.describe([])).nodes[0].node_id
    assert "auto.create.topics.enable" in await reader.broker_settings(node)


async def test_beginning_end_and_newest_record_are_found(reader, lane: Lane):
    await lane.send([(0, None, b"a", ()), (0, None, b"b", ()), (3, None, b"c", ())])
    cluster = await described(reader, lane.requests)
    beginnings = await reader.offsets(cluster, [lane.requests], Place.BEGINNING)
    ends = await reader.offsets(cluster, [lane.requests], Place.END)
    newest = await reader.offsets(cluster, [lane.requests], Place.NEWEST)
    first, second = TopicPartition(lane.requests, 0), TopicPartition(lane.requests, 1)
    assert (beginnings[first].offset, ends[first].offset, ends[second].offset) == (0, 2, 0)
    assert abs(newest[first].timestamp_ms / 1000 - time.time()) < 60
    assert newest[second].timestamp_ms == -1
    assert held(beginnings, ends, lane.requests) == 3


async def test_controllers_clock_is_near_ours(reader):
    theirs_ms = await reader.controller_clock_ms()
    assert theirs_ms is not None
    assert abs(theirs_ms / 1000 - time.time()) < 30


async def test_group_is_seen_with_its_members_and_commits(reader, lane: Lane):
    group = GroupReader(reader, lane.group)
    assert (await group.describe()).state == "Dead"
    assert await group.committed() == {}
    consumer = AIOKafkaConsumer(
        lane.requests, bootstrap_servers=lane.bootstrap, group_id=lane.group, client_id="a-member"
    )
    async with consumer:
        await until(consumer.assignment, what="partitions")
        place = TopicPartition(lane.requests, 2)
        await consumer.commit({place: (0, "a note")})
        seen = await group.describe()
        assert seen.state == "Stable"
        assert [(member.client_id, len(member.owns)) for member in seen.members] == [("a-member", PARTITIONS)]
        committed = await group.committed()
        assert committed is not None
        assert (committed[place].offset, committed[place].metadata) == (0, "a note")
    assert (await group.describe()).members == ()


async def test_cluster_that_cannot_be_reached_is_an_error_with_its_reason():
    with pytest.raises(TransportError, match="connection refused"):
        async with ClusterReader({"bootstrap_servers": "127.0.0.1:1"}):
            pass


async def test_silent_broker_leaves_time_for_the_others(bootstrap):
    options = KafkaSettings(bootstrap_servers=tuple(bootstrap.split(","))).client_options()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with ClusterReader(options, timeout_s=2.0) as reader:
            first = BrokerMetadata(-7, "127.0.0.1", silent.getsockname()[1], None)  # sorts before every other
            reader.client.cluster._brokers[first.nodeId] = first
            assert (await reader.describe([])).nodes
            began = time.monotonic()
            assert (await reader.describe([])).nodes
            assert time.monotonic() - began < 0.5, "the one that answered is asked first"


async def test_reader_that_is_not_connected_says_so():
    with pytest.raises(TransportError, match="not connected"):
        await ClusterReader({"bootstrap_servers": "127.0.0.1:1"}).describe()
