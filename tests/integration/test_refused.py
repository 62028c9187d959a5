"""What Kafka will not take: replies and dead letters beyond their topic's bound."""

import orjson

from penstock.transport.topics import create_topics
from tests.support.messages import error_of, headers_of, infer, source_of
from tests.support.traffic import numbered

_SMALL = 5000  # bytes of a batch of the reply topic, far below what the worker thinks it takes


async def test_a_refused_reply_is_answered_in_its_place(lane, inside_worker):
    small = f"{lane.replies}-small"
    await create_topics({"bootstrap_servers": lane.bootstrap}, {small: 1}, configs={"max.message.bytes": str(_SMALL)})
    reply_to = [("reply_to", small.encode())]
    many = infer(*[[float(number), 0.0, 0.0] for number in range(1000)])
    async with inside_worker(worker__allowed_reply_topics=small):
        values = [numbered(0), many, numbered(2), numbered(3), numbered(4)]
        sent = await lane.send([(3, b"key", value, reply_to) for value in values])
        replies = await lane.read(small, enough=5, partitions=1)
        await lane.wait_until_committed()

    assert [source_of(reply) for reply in replies] == [f"{lane.requests}/3/{each.offset}" for each in sent]
    assert error_of(replies[1]) == "REPLY_TOO_LARGE"
    assert ["error" in orjson.loads(reply.value) for reply in replies] == [False, True, False, False, False]


async def test_a_record_too_large_for_the_dead_letter_topic_leaves_its_coordinates(lane, inside_worker):
    key = b"k" * 1_048_400  # fits the request topic, and nothing that has to carry our headers too
    async with inside_worker():
        async with lane.producer(max_request_size=2_000_000) as producer:
            sent = await producer.send_and_wait(lane.requests, b"{}", key=key, partition=2)
        (dead,) = await lane.read(lane.dead_letters, enough=1, partitions=1)
        await lane.wait_until_committed()

    assert source_of(dead) == f"{lane.requests}/2/{sent.offset}"
    assert (dead.key, dead.value) == (None, None)
    assert headers_of(dead)["penstock-reason"] == b"BAD_REQUEST"
