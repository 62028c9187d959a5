"""Deaths that are said on a topic of the group, on the real broker."""

from collections.abc import AsyncIterator

import pytest

from penstock.consumer.suspects.journal import Run
from penstock.consumer.suspects.journal_name import suspects_topic
from penstock.consumer.suspects.topic import SuspectsReader, publish_death
from penstock.transport.topics import TopicDirectory
from tests.support.lane import Lane
from tests.support.waiting import until


@pytest.fixture
async def directory(bootstrap: str) -> AsyncIterator[TopicDirectory]:
    directory = TopicDirectory({"bootstrap_servers": bootstrap})
    await directory.start()
    yield directory
    await directory.close()


async def say(lane: Lane, first: int) -> None:
    death = (Run("m", lane.requests, 0, first, first, 77),)
    options = {"bootstrap_servers": lane.bootstrap}
    await publish_death(options, lane.group, death, client_id="worker-0-1", timeout_s=10.0)


async def test_deaths_are_read_once_each_by_whoever_takes_over(lane: Lane, directory: TopicDirectory) -> None:
    options = {"bootstrap_servers": lane.bootstrap}
    reader = SuspectsReader(options, lane.group, directory)
    await reader.catch_up(5.0)
    assert len(reader.suspects) == 0
    assert suspects_topic(lane.group) not in await lane.topics(), "it is made by who has something to say"

    await say(lane, 1)

    async def heard() -> bool:  # a broker may list a new topic a moment later
        await reader.catch_up(5.0)
        return len(reader.suspects) > 0

    await until(heard, within_s=5)
    await reader.catch_up(5.0)
    assert len(reader.suspects) == 1
    async with lane.producer() as producer:
        await producer.send_and_wait(suspects_topic(lane.group), b"no death", partition=0)
    await say(lane, 2)
    await reader.catch_up(5.0)
    assert len(reader.suspects) == 2
    await reader.close()  # as after a failure: all is read again, and counted anew
    await reader.catch_up(5.0)
    assert len(reader.suspects) == 2
    await reader.close()


async def test_what_cannot_be_read_is_passed_over_and_what_comes_before_is_not(
    lane: Lane, directory: TopicDirectory
) -> None:
    await say(lane, 1)
    read: list[float] = []

    async def before(timeout_s: float) -> None:
        read.append(timeout_s)

    reader = SuspectsReader({"bootstrap_servers": "127.0.0.1:1"}, lane.group, directory, before)
    await reader.catch_up(1.0)
    assert read == [1.0]
    assert len(reader.suspects) == 0
