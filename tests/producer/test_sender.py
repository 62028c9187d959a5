"""Requests that nobody waits for, against a real broker."""

import asyncio

import numpy as np
import orjson
import pytest

from penstock.producer.requests import encode_inputs, request_headers
from penstock.producer.sender import RequestSender
from penstock.schemas.errors import ClientClosed, TransportError
from penstock.transport.settings import KafkaSettings
from tests.support.messages import headers_of

ROW = np.array([[1.0, 2.0, 3.0]], np.float32)


def sender(lane, **options) -> RequestSender:
    kafka = KafkaSettings(bootstrap_servers=(lane.bootstrap,))
    return RequestSender(kafka, options.pop("topic", lane.requests), **options)


async def test_sent_request_lies_where_it_is_said_to_lie(lane):
    async with sender(lane) as sending:
        sent = await sending.send("doubler", ROW, version="1", key="k")

    (record,) = await lane.read(lane.requests, enough=1)
    assert sent.source == f"{lane.requests}/{record.partition}/{record.offset}"
    assert record.key == b"k"
    assert orjson.loads(record.value)["inputs"][0]["data"] == [1.0, 2.0, 3.0]
    assert headers_of(record) == {
        "penstock-id": sent.id.encode(),
        "penstock-model": b"doubler",
        "penstock-version": b"1",
    }


async def test_reply_topic_and_age_are_said_where_they_are_given(lane):
    async with sender(lane, reply_topic=lane.replies) as sending:
        await sending.send("doubler", ROW, expires_s=2.5)

    (record,) = await lane.read(lane.requests, enough=1)
    assert headers_of(record)["penstock-reply-topic"] == lane.replies.encode()
    assert headers_of(record)["penstock-timeout-ms"] == b"2500"


async def test_each_of_many_knows_its_own_place(lane):
    async with sender(lane, max_in_flight=100) as sending:
        futures = []
        for number in range(3000):
            value = encode_inputs([[float(number)]])
            futures.append(await sending.submit(value, request_headers("doubler", None, None, None)))
        await sending.flush()
        sent = [future.result() for future in futures]

    records = await lane.read(lane.requests, enough=3000)
    numbers = {
        (record.partition, record.offset): orjson.loads(record.value)["inputs"][0]["data"][0] for record in records
    }
    assert [numbers[each.partition, each.offset] for each in sent] == list(range(3000))
    assert len({each.id for each in sent}) == 3000


async def test_answers_come_to_the_services_own_reply_topic(lane, inside_worker):
    async with inside_worker(), sender(lane) as sending:
        sent = await sending.send("doubler", ROW)
        (reply,) = await lane.read(enough=1)

    assert headers_of(reply)["penstock-id"] == sent.id.encode()
    assert headers_of(reply)["penstock-source"] == sent.source.encode()


@pytest.mark.parametrize("missing", ["topic", "reply_topic"])
async def test_missing_topic_is_named_and_not_created(lane, missing):
    absent = f"{lane.requests}-absent"
    with pytest.raises(TransportError, match=f"topic {absent} does not exist on"):
        await sender(lane, **{missing: absent}).start()
    assert absent not in await lane.topics()


async def test_record_that_kafka_refuses_fails_alone(lane):
    async with sender(lane) as sending:
        with pytest.raises(TransportError, match="Kafka refused the request"):
            await sending.send("doubler", np.ones((1, 600_000)))
        assert (await sending.send("doubler", ROW)).offset >= 0


async def test_lost_broker_ends_the_wait_at_the_deadline(own_broker):
    kafka = KafkaSettings(bootstrap_servers=(own_broker.bootstrap_servers,))
    from penstock.transport.topics import create_topics

    await create_topics(kafka.client_options(), {"requests": 1})
    async with RequestSender(kafka, max_in_flight=1, timeout_s=1.0) as sending:
        await own_broker.stop()
        future = await sending.submit(encode_inputs(ROW), [])
        with pytest.raises(TransportError, match=r"did not acknowledge 1 request within 1 s"):
            await sending.flush()
        with pytest.raises(TransportError, match=r"did not acknowledge 1 request within 1 s"):
            await sending.submit(encode_inputs(ROW), [])
    with pytest.raises(ClientClosed):
        future.result()


async def test_sender_is_used_while_it_is_open(lane):
    sending = sender(lane)
    with pytest.raises(ClientClosed, match="not open"):
        await sending.send("doubler", ROW)
    await sending.start()
    with pytest.raises(ClientClosed, match="started once"):
        await sending.start()
    await asyncio.gather(sending.close(), sending.close())
    assert "closed" in repr(sending)
