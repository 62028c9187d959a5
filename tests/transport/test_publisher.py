"""The publisher, before topics that go away."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient

from penstock.transport import publisher as publisher_module
from penstock.transport.producers import connect
from penstock.transport.publisher import RecordPublisher
from penstock.transport.topics import create_topics
from tests.support.waiting import until


@asynccontextmanager
async def administrator(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def test_records_for_a_partition_that_a_topic_has_lost_are_refused_and_not_tried_for_ever(bootstrap: str) -> None:
    topic, options = f"shrinks-{secrets.token_hex(3)}", {"bootstrap_servers": bootstrap}
    await create_topics(options, {topic: 2}, replication_factor=1)
    acknowledged: list[str] = []
    refused: list[tuple[str, Exception]] = []
    publisher = RecordPublisher(
        options,
        on_acked=lambda tokens, _: acknowledged.extend(tokens),
        on_refused=lambda token, error: refused.append((token, error)),
        send_timeout_s=2.0,
    )
    await publisher.start()
    try:
        publisher.add(topic, 1, [(None, b"before", (), "before", None)])
        await until(lambda: acknowledged == ["before"])
        async with administrator(bootstrap) as admin:
            await admin.delete_topics([topic])

            async def made_anew() -> list[str]:
                return await create_topics(options, {topic: 1}, replication_factor=1)

            await until(made_anew, what="the topic made anew")
        publisher.add(topic, 1, [(None, b"after", (), "after", None), (None, b"more", (), "more", None)])
        publisher.add(topic, 0, [(None, b"first", (), "first", None)])
        await until(lambda: publisher.pending == 0, what="every record's fate known")
    finally:
        await publisher.close(5.0)
    assert acknowledged == ["before", "first"]
    assert [token for token, _ in refused] == ["after", "more"]
    assert all(isinstance(error, kafka_errors.UnknownTopicOrPartitionError) for _, error in refused)


async def test_a_record_that_is_too_large_is_found_among_many_with_few_new_producers(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, options = f"narrow-{secrets.token_hex(3)}", {"bootstrap_servers": bootstrap}
    await create_topics(options, {topic: 1}, replication_factor=1, configs={"max.message.bytes": "20000"})
    acknowledged: list[int] = []
    refused: list[int] = []
    connected = 0

    async def counted(*arguments: Any) -> Any:
        nonlocal connected
        connected += 1
        return await connect(*arguments)

    monkeypatch.setattr(publisher_module, "connect", counted)
    publisher = RecordPublisher(
        options,
        on_acked=lambda tokens, _: acknowledged.extend(tokens),
        on_refused=lambda token, _: refused.append(token),
    )
    await publisher.start()
    try:
        sizes = [30_000 if number == 50 else 10 for number in range(64)]
        publisher.add(topic, 0, [(None, b"." * size, (), number, None) for number, size in enumerate(sizes)])
        await until(lambda: publisher.pending == 0, within_s=30, what="every record's fate known")
    finally:
        await publisher.close(5.0)
    assert acknowledged == [number for number in range(64) if number != 50]
    assert refused == [50]
    # One to begin with, one after each refusal: of 64 records, of 32, 16, 8, 4, 2 and 1.
    assert connected <= 8
