"""Asking a group's coordinator, also when it refuses or is another by now."""

from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.broker import EmbeddedKafka
from penstock.schemas.errors import TransportError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.membership import GroupReader, read_committed, read_group
from penstock.transport.topics import create_topics

_NOT_COORDINATOR = 16


def test_refusal_is_no_group_without_members():
    refusal = SimpleNamespace(groups=[(_NOT_COORDINATOR, "g", "", "", "", [], 0)])
    with pytest.raises(kafka_errors.NotCoordinatorForGroupError):
        read_group(refusal)


def test_refusal_is_no_group_without_commits():
    with pytest.raises(kafka_errors.NotCoordinatorForGroupError):
        read_committed(SimpleNamespace(error_code=_NOT_COORDINATOR, topics=[]))


async def test_coordinator_that_has_moved_is_found_again():
    place = TopicPartition("requests", 0)
    async with EmbeddedKafka(nodes=3, heap_mb=192) as kafka:
        await create_topics(kafka.client_config(), {"requests": 1}, replication_factor=1)
        async with AIOKafkaConsumer(group_id="g", **kafka.client_config()) as consumer:
            consumer.assign([place])
            await consumer.commit({place: 0})
        async with ClusterReader(kafka.client_config()) as reader:
            for node in (await reader.describe([])).nodes:
                group = GroupReader(reader, "g")
                group._coordinator = node.node_id  # as if it had been this one
                assert (await group.describe()).state == "Empty"
                group._coordinator = node.node_id
                assert (await group.committed() or {}).keys() == {place}


async def test_coordinator_that_stays_away_is_an_error_by_the_deadline():
    class Moving(ClusterReader):
        async def ask(self, *_: object, node_id: int | None = None, **__: object) -> object:
            there = SimpleNamespace(error_code=0, coordinator_id=1)
            return there if node_id is None else SimpleNamespace(error_code=_NOT_COORDINATOR, topics=[])

    group = GroupReader(Moving({"bootstrap_servers": "nowhere:1"}), "g", timeout_s=0.3)
    with pytest.raises(TransportError, match="group g could not be looked at: its coordinator could not be found"):
        await group.committed()
