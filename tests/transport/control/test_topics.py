"""What the control topic must be, and what is said where it is not."""

import pytest

from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.transport.cluster import Partition, Topic
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.control.appending import append
from penstock.transport.control.log import ControlLog
from penstock.transport.control.topics import (
    CONTROL_SETTINGS,
    check_control_topic,
    cluster_id,
    control_topic_faults,
    ensure_control_topics,
)
from penstock.transport.topics import create_topics
from tests.transport.control.service import new_service

ONE = Topic("t", (Partition(0, 1, (1,), (1,)),))


async def test_topics_are_made_once_and_are_what_they_must_be(bootstrap: str):
    service = await new_service(bootstrap)
    assert await ensure_control_topics(service.options, service.topic, service.status_topic) == []
    async with ClusterReader(service.options) as reader:
        await check_control_topic(reader, service.topic)
        topics = (await reader.describe([service.topic, service.status_topic])).topics
        settings = await reader.topic_settings([service.status_topic])
    assert [len(topic.partitions) for topic in topics.values()] == [1, 1]
    assert settings[service.status_topic]["cleanup.policy"] == "delete"
    assert settings[service.status_topic]["retention.ms"] == "86400000"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cleanup.policy", "compact", "compaction takes away history"),
        ("cleanup.policy", "compact,delete", "compaction takes away history"),
        ("retention.ms", "604800000", "retention.ms is 604800000, not -1"),
        ("retention.bytes", "1000000", "retention.bytes is 1000000, not -1"),
        ("message.timestamp.type", "CreateTime", "whether a command has expired"),
    ],
)
def test_setting_that_loses_commands_is_a_fault(name: str, value: str, said: str):
    (fault,) = control_topic_faults(ONE, {**CONTROL_SETTINGS, name: value})
    assert said in fault


def test_settings_that_nobody_may_see_are_taken_to_be_right():
    assert control_topic_faults(ONE, {}) == []


async def test_topic_as_brokers_make_it_is_refused_with_a_command_that_mends_it(bootstrap: str):
    service = await new_service(bootstrap, topics=False)
    await create_topics(service.options, {service.topic: 1})
    log = ControlLog(service.options, service.topic)
    with pytest.raises(ConfigurationError, match=r"cannot hold commands: retention\.ms is 604800000") as caught:
        await log.start(10.0)
    assert "message.timestamp.type is CreateTime" in str(caught.value)
    remedy = str(caught.value).splitlines()[1]
    assert f"--entity-name {service.topic} --add-config cleanup.policy=delete,retention.ms=-1," in remedy
    await service.alter(**{name.replace(".", "_"): value for name, value in CONTROL_SETTINGS.items()})
    await log.start(10.0)
    await log.close()


async def test_topic_with_several_partitions_is_refused(bootstrap: str):
    service = await new_service(bootstrap, topics=False)
    await create_topics(service.options, {service.topic: 3}, configs=CONTROL_SETTINGS)
    log = ControlLog(service.options, service.topic)
    with pytest.raises(ConfigurationError, match="it has 3 partitions, and commands need one order: 1"):
        await log.start(10.0)
    await log.close()


async def test_missing_topic_is_refused_and_not_made(bootstrap: str):
    service = await new_service(bootstrap, topics=False)
    log = ControlLog(service.options, service.topic)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="does not exist, or is not for this user to see"):
            await log.start(10.0)
    await log.close()


async def test_clusters_are_told_apart(bootstrap: str):
    found = await cluster_id({"bootstrap_servers": bootstrap}, 10.0)
    assert found
    assert found == await cluster_id({"bootstrap_servers": bootstrap}, 10.0)


async def test_record_that_is_too_large_is_refused_as_such(bootstrap: str):
    service = await new_service(bootstrap)
    with pytest.raises(TransportError, match="could not be written to: MessageSizeTooLarge"):
        await append(service.options, service.topic, key=b"k", value=bytes(2_000_000), timeout_s=10.0)
