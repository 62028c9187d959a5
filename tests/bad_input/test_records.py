"""Rows 8, 10, 40 and 42: records that no client library writes, or that only a whole batch can tell of."""

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from penstock.consumer.lane import REQUEST_COMPRESSION
from penstock.transport.topics import create_topics
from tests.bad_input.desk import MOST_BYTES, Desk
from tests.bad_input.rows import GOOD, Answer, Dead, Error, Outcome, Request, Row, cases
from tests.support.damaged import batch_with_damaged_header_key, produce_raw
from tests.support.messages import headers_of

YEAR_9999_MS = 253_402_300_799_000
NOW = [("penstock-timeout-ms", b"0")]
MINUTE = [("penstock-timeout-ms", b"60000")]


async def test_8_a_topic_that_says_uncompressed_refuses_a_compression_bomb(desk: Desk) -> None:
    topic = f"{desk.lane.requests}-guarded"
    await create_topics({"bootstrap_servers": desk.lane.bootstrap}, {topic: 1}, configs=dict([REQUEST_COMPRESSION]))
    with pytest.raises(MessageSizeTooLargeError):
        await bomb(desk, topic, 0, 64)


async def bomb(desk: Desk, topic: str, partition: int, mebibytes: int) -> int:
    """Write a record of so many zeros, which takes some kilobytes, and return its offset."""
    options = {"bootstrap_servers": desk.lane.bootstrap, "compression_type": "zstd", "max_batch_size": 2 * MOST_BYTES}
    async with AIOKafkaProducer(**options) as producer:
        batch = producer.create_batch()
        assert batch.append(key=b"k", value=bytes(mebibytes << 20), timestamp=None) is not None
        sent = await (await producer.send_batch(batch, topic, partition=partition))
        return int(sent.offset)


async def test_8_elsewhere_a_compression_bomb_is_put_aside(desk: Desk) -> None:
    (before,) = await desk.send([Request(key=b"before")], 3)
    offset = await bomb(desk, desk.lane.requests, 3, 64)
    (after,) = await desk.send([Request(key=b"after")], 3)

    sources = [before, *desk.sources(3, offset, 1), after]
    kinds: list[Outcome] = [Answer(), Dead("UNREADABLE", bare=True), Answer()]
    await desk.have(sources, [Request(key=b"before"), Request(), Request(key=b"after")], kinds)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "in the middle", "last"])
async def test_10_a_header_key_that_is_not_utf8_is_put_aside(desk: Desk, place: int) -> None:
    batch = batch_with_damaged_header_key([GOOD] * 3, place)
    first = await produce_raw(desk.lane.bootstrap, desk.lane.requests, 1, batch)

    kinds: list[Outcome] = [Answer()] * 3
    kinds[place] = Dead("UNREADABLE", bare=True)
    await desk.have(desk.sources(1, first, 3), [Request()] * 3, kinds)


TIMES = [
    Row(40, "a timestamp of -1", Request(stamp_ms=-1, headers=MINUTE), Answer()),
    Row(40, "a timestamp of -5", Request(stamp_ms=-5, headers=MINUTE), Answer()),
    Row(40, "the lowest timestamp", Request(stamp_ms=-(2**62), headers=MINUTE), Answer()),
    Row(40, "the year 9999", Request(stamp_ms=YEAR_9999_MS, headers=MINUTE), Answer()),
    Row(40, "the highest timestamp", Request(stamp_ms=2**62, headers=MINUTE), Answer()),
    Row(
        40,
        "the year 9999, and too late",
        Request(stamp_ms=YEAR_9999_MS, headers=[("penstock-timeout-ms", b"0")]),
        Error("EXPIRED"),
    ),
]


@cases(TIMES)
async def test_40_arrival_counts_where_a_timestamp_is_nobodys(desk: Desk, row: Row) -> None:
    requests = [Request(key=b"before"), row.request, Request(key=b"after")]
    await desk.have(await desk.send(requests, 2), requests, [Answer(), row.outcome, Answer()])


async def test_42_requests_of_one_id_are_two_requests(desk: Desk) -> None:
    twin = Request(headers=[("penstock-id", b"twin")])
    sources = await desk.send([Request(), twin, twin, Request()], 4)
    replies = await desk.have(sources, [Request(), twin, twin, Request()], [Answer()] * 4)
    assert [headers_of(reply)["penstock-source"].decode() for reply in replies] == sources
    assert [headers_of(reply).get("penstock-id") for reply in replies] == [None, b"twin", b"twin", None]
