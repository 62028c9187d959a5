"""Whoever asks in a dialect is answered in it."""

import uuid

import pytest

from tests.integration.conftest import ask
from tests.support.messages import data_of, error_of, headers_of, infer, source_of

TWO = infer([1, 2, 0])


async def test_native_headers(served):
    headers = [("penstock-id", b"id-\x00-1"), ("penstock-model", b"scaler")]
    (reply,) = await ask(served, [(5, b"key", infer([3]), headers)])

    assert data_of(reply) == [30.0]
    assert (reply.key, reply.partition) == (b"key", 5)
    named = headers_of(reply)
    assert named["penstock-id"] == b"id-\x00-1"
    assert named["penstock-model"] == b"scaler@2"
    assert named["penstock-epoch"] == b"-1"
    assert named["content-type"] == b"application/json"
    topic, partition, offset = source_of(reply).rsplit("/", 2)
    assert (topic, partition) == (served.lane.requests, "5")
    assert int(offset) >= 0
    assert "penstock-error" not in named


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_requests_are_read_in_every_codec(served, codec):
    lane = served.lane
    async with lane.producer(compression_type=codec) as producer:
        sent = await producer.send_and_wait(lane.requests, TWO, partition=3, headers=[("id", codec.encode())])
    source = f"{lane.requests}/3/{sent.offset}"
    replies = await lane.read(enough=lambda all_: any(source_of(each) == source for each in all_))
    (reply,) = [each for each in replies if source_of(each) == source]
    assert headers_of(reply)["id"] == codec.encode()
    assert data_of(reply) == [2.0, 4.0, 0.0]


async def test_spring_headers_are_raw_bytes(served):
    correlation = uuid.uuid4().bytes
    headers = [
        ("kafka_correlationId", correlation),
        ("kafka_replyTopic", served.other_replies.encode()),
        ("kafka_replyPartition", (2).to_bytes(4, "big")),
    ]
    (reply,) = await ask(served, [(0, None, TWO, headers)], served.other_replies)

    assert headers_of(reply)["kafka_correlationId"] == correlation
    assert (reply.partition, reply.key) == (2, None)
    assert data_of(reply) == [2.0, 4.0, 0.0]


async def test_faststream_headers(served):
    headers = [("correlation_id", b"abc"), ("reply_to", served.other_replies.encode())]
    (reply,) = await ask(served, [(5, b"k", TWO, headers)], served.other_replies)

    assert headers_of(reply)["correlation_id"] == b"abc"
    assert reply.partition == 5 % 3  # the source partition, modulo the partitions there
    # Every header must be UTF-8 for FastStream.
    assert [value.decode() for value in headers_of(reply).values()]


async def test_a_request_without_headers_is_answered_on_the_default_topic(served):
    (reply,) = await ask(served, [(7, None, TWO, ())])

    assert reply.partition == 7
    assert set(headers_of(reply)) == {"penstock-source", "penstock-model", "penstock-epoch", "content-type"}


async def test_an_error_is_answered_in_the_dialect_too(served):
    headers = [("kafka_correlationId", b"\xff" * 16), ("kafka_replyTopic", served.other_replies.encode())]
    (reply,) = await ask(served, [(1, b"k", b"{}", headers)], served.other_replies)

    assert error_of(reply) == "BAD_REQUEST"
    assert headers_of(reply)["kafka_correlationId"] == b"\xff" * 16
    assert (reply.partition, reply.key) == (1, b"k")


async def test_disagreeing_dialects_are_told_on_the_default_topic(served):
    headers = [("penstock-reply-topic", served.other_replies.encode()), ("reply_to", served.lane.replies.encode())]
    (reply,) = await ask(served, [(1, b"k", TWO, [*headers, ("correlation_id", b"abc")])])

    assert error_of(reply) == "AMBIGUOUS_HEADER"
    assert headers_of(reply)["correlation_id"] == b"abc"


@pytest.mark.parametrize("partition", [b"8", b"-1", b"2147483648", b"nine"])
async def test_a_reply_partition_that_is_not_there_is_told_on_the_default_topic(served, partition):
    (reply,) = await ask(served, [(4, b"k", TWO, [("penstock-reply-partition", partition)])])

    assert error_of(reply) == "BAD_VALUE"
    assert reply.partition == 4


async def test_a_raw_tensor_is_answered_raw(served):
    import numpy as np

    rows = np.array([[1, 2, 0], [3, 4, 0]], "<f4")
    headers = [("content-type", b"application/octet-stream"), ("penstock-id", b"raw")]
    (reply,) = await ask(served, [(0, b"k", rows.tobytes(), headers)])

    assert np.frombuffer(reply.value, "<f4").tolist() == [2, 4, 0, 6, 8, 0]
    assert headers_of(reply)["content-type"] == b"application/octet-stream"
    assert headers_of(reply)["penstock-id"] == b"raw"


async def test_the_error_of_a_raw_request_is_json(served):
    headers = [("content-type", b"application/octet-stream")]
    (reply,) = await ask(served, [(0, b"k", b"12345", headers)])

    assert error_of(reply) == "BAD_SHAPE"
    assert headers_of(reply)["content-type"] == b"application/json"
