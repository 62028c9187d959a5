"""What cannot be answered becomes a dead letter, and its neighbours are answered."""

import pytest

from tests.integration.conftest import ask
from tests.support.damaged import batch_with_damaged_header_key, produce_raw
from tests.support.messages import by_source, data_of, headers_of, infer

TWO = infer([1, 2, 0])


@pytest.mark.parametrize(
    ("dialect", "topic", "reason"),
    [
        ("penstock-reply-topic", "{replies}.elsewhere", "REPLY_FORBIDDEN"),
        ("kafka_replyTopic", "{replies}-absent", "REPLY_UNKNOWN"),
        ("reply_to", "{requests}", "REPLY_FORBIDDEN"),
        ("reply_to", "{requests}-dlt", "REPLY_FORBIDDEN"),
    ],
    ids=["outside the allowed", "allowed and absent", "the request topic", "the dead-letter topic"],
)
async def test_a_reply_topic_that_may_not_be_used_makes_a_dead_letter(served, dialect, topic, reason):
    lane = served.lane
    name = topic.format(replies=lane.replies, requests=lane.requests)
    before = await lane.ends()
    records = [(6, b"k", TWO, [(dialect, name.encode()), ("correlation_id", b"c")]), (6, b"k", TWO, ())]
    (neighbour,) = await ask(served, records, replies=1)

    assert data_of(neighbour) == [2.0, 4.0, 0.0]
    await lane.wait_until_committed()
    assert (await lane.ends())[6] == before[6] + 2  # nothing but what the test has written
    dead = await _dead_letter(served, f"{lane.requests}/6/{before[6]}")
    assert (dead.key, dead.value) == (b"k", TWO)
    named = headers_of(dead)
    assert named["penstock-reason"] == reason.encode()
    assert named["kafka_dlt-original-topic"] == lane.requests.encode()
    assert named["kafka_dlt-original-partition"] == (6).to_bytes(4, "big")
    assert named["kafka_dlt-original-offset"] == before[6].to_bytes(8, "big")
    assert abs(int.from_bytes(named["kafka_dlt-original-timestamp"], "big") - dead.timestamp) < 60_000
    assert named["kafka_dlt-original-consumer-group"] == lane.group.encode()
    assert named["kafka_dlt-exception-fqcn"]
    assert named["kafka_dlt-exception-message"]
    assert named[dialect] == name.encode()
    assert named["correlation_id"] == b"c"
    if name not in (lane.requests, lane.dead_letters):
        assert name not in await lane.topics()


async def _dead_letter(served, source: str):
    # The broker's default for a topic that is made on the way is one partition.
    found = await served.lane.read(
        served.lane.dead_letters, enough=lambda all_: source in by_source(all_), partitions=1
    )
    (dead,) = by_source(found)[source]
    return dead


async def test_a_reply_topic_made_a_moment_ago_is_known(served):
    lane = served.lane
    absent = [("reply_to", f"{lane.replies}-absent-too".encode())]
    sent = await lane.send([(6, b"k", TWO, absent)])  # has the worker look at the topics just before
    await _dead_letter(served, f"{sent[0].topic}/6/{sent[0].offset}")
    fresh = await lane.create(f"{lane.replies}-fresh", 1)
    await lane.send([(6, b"k", TWO, [("reply_to", fresh.encode())])])

    (reply,) = await lane.read(fresh, enough=1, partitions=1, within_s=5)

    assert data_of(reply) == [2.0, 4.0, 0.0]


@pytest.mark.parametrize("place", [0, 3, 6], ids=["first", "in the middle", "last"])
async def test_a_header_key_that_is_not_utf8_becomes_a_dead_letter_with_coordinates_only(served, place):
    lane = served.lane
    values = [infer([number, 0, 0]) for number in range(7)]
    batch = batch_with_damaged_header_key(values, place)
    elsewhere = [(partition, b"k", infer([partition, 0, 0]), ()) for partition in (0, 1, 3)]

    others = await lane.send(elsewhere)
    first = await produce_raw(lane.bootstrap, lane.requests, 2, batch)
    others += await lane.send(elsewhere)

    damaged = f"{lane.requests}/2/{first + place}"
    wanted = {f"{lane.requests}/2/{first + number}": 2.0 * number for number in range(7) if number != place}
    wanted |= {f"{each.topic}/{each.partition}/{each.offset}": 2.0 * each.partition for each in others}
    replies = by_source(await lane.read(enough=lambda all_: wanted.keys() <= by_source(all_).keys()))
    assert {source: data_of(replies[source][0])[0] for source in wanted} == wanted
    assert all(len(replies[source]) == 1 for source in wanted)
    assert damaged not in replies

    dead = await _dead_letter(served, damaged)
    assert (dead.key, dead.value) == (None, None)
    assert headers_of(dead)["penstock-reason"] == b"UNREADABLE"
    assert headers_of(dead)["kafka_dlt-original-offset"] == (first + place).to_bytes(8, "big")
    await lane.wait_until_committed()
