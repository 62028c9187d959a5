"""Dead letters are sent again once, whoever tries it and whatever breaks. Against the real broker."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import ErrorCode, RequestError, TransportError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.dead_letters.reading import read_letters
from penstock.transport.dead_letters.redrive import Redrive, RedriveOutcome
from penstock.transport.dead_letters.transaction import Written, redrive_producer
from penstock.transport.topics import create_topics
from tests.support.dead_letters import bury, sent_again
from tests.support.lane import PARTITIONS, Lane
from tests.support.messages import infer

FIVE = [infer([number, 0, 0]) for number in range(5)]


async def at_once(_: int) -> None:
    """No waiting."""


async def redrive(
    lane: Lane,
    letters: Collection[int],
    *,
    pace: Callable[[int], Awaitable[None]] = at_once,
    most: int = 100,
    targets: dict[str, int] | None = None,
) -> RedriveOutcome:
    options, outcome = {"bootstrap_servers": lane.bootstrap}, RedriveOutcome()
    allowed = {lane.requests: PARTITIONS} if targets is None else targets
    async with ClusterReader(options) as cluster:
        place = TopicPartition(lane.dead_letters, 0)
        redriving = Redrive(
            options, cluster, place, targets=allowed, by="test", pace=pace, most=most, outcome=outcome
        )  # fmt: skip
        await redriving.run(letters)
    return outcome


async def times(lane: Lane, letters: Collection[int]) -> list[int]:
    """How often each was sent again."""
    found = await sent_again(lane)
    return [len(found.get(f"{lane.dead_letters}/0/{offset}", [])) for offset in letters]


async def test_each_goes_back_as_it_came_and_says_from_where(lane: Lane) -> None:
    letters = await bury(lane, FIVE)
    outcome = await redrive(lane, letters[1:4])

    assert (outcome.sent, outcome.already, outcome.left) == (3, 0, [])
    found = await sent_again(lane)
    assert sorted(found) == [f"{lane.dead_letters}/0/{offset}" for offset in letters[1:4]]
    for letter, records in found.items():
        (record,) = records
        assert (record.partition, record.key) == (3, b"key")
        assert record.value == FIVE[letters.index(int(letter.rpartition("/")[2]))]
        assert record.headers == (
            ("penstock-id", b"1"),
            ("penstock-reply-topic", b"elsewhere"),
            ("penstock-redriven-from", letter.encode()),
            ("penstock-redrives", b"1"),
        )


async def test_a_second_call_sends_only_what_is_left(lane: Lane) -> None:
    letters = await bury(lane, FIVE)
    await redrive(lane, letters[::2])
    outcome = await redrive(lane, letters)

    assert (outcome.sent, outcome.already) == (2, 3)
    assert await times(lane, letters) == [1] * 5
    read = await read_letters({"bootstrap_servers": lane.bootstrap}, TopicPartition(lane.dead_letters, 0))
    assert set(letters) <= read.redriven
    assert [each.at.offset for each in read.letters] == letters
    assert read.strays == 0


async def test_whoever_comes_second_goes_on_alone_and_nothing_is_doubled(lane: Lane) -> None:
    letters = await bury(lane, FIVE)
    second: list[RedriveOutcome] = []

    async def overtaken(_: int) -> None:
        if not second and (await sent_again(lane)):
            second.append(await redrive(lane, letters, most=2))

    with pytest.raises(TransportError, match="somebody else has begun to redrive"):
        await redrive(lane, letters, pace=overtaken, most=1)

    assert (second[0].sent, second[0].already) == (4, 1)
    assert await times(lane, letters) == [1] * 5


async def test_what_a_crash_left_half_done_is_done_once(lane: Lane) -> None:
    letters = await bury(lane, FIVE)
    place = TopicPartition(lane.dead_letters, 0)
    async with redrive_producer({"bootstrap_servers": lane.bootstrap}, place) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(
            lane.requests, b"{}", partition=3, headers=[("penstock-redriven-from", f"{place.topic}/0/0".encode())]
        )
        # The process ends here.

    outcome = await redrive(lane, letters)

    assert outcome.sent == 5
    assert await times(lane, letters) == [1] * 5


async def test_a_mark_is_seen_though_a_transaction_before_it_is_still_open(lane: Lane) -> None:
    letters = await bury(lane, FIVE)
    worker = AIOKafkaProducer(bootstrap_servers=lane.bootstrap, transactional_id=f"worker-{lane.group}")
    await worker.start()

    async def opened(_: int) -> None:
        await worker.begin_transaction()
        await worker.send_and_wait(lane.dead_letters, b"a dead letter, on its way", partition=0)

    assert (await redrive(lane, letters, pace=opened)).sent == 5
    again = asyncio.create_task(redrive(lane, letters))
    done, _ = await asyncio.wait({again}, timeout=1.0)  # the mark cannot be read yet
    assert not done
    await worker.abort_transaction()
    assert (await again).already == 5
    await worker.stop()
    assert await times(lane, letters) == [1] * 5


@pytest.mark.parametrize("left_out", [{"with_payload": False}, {"coordinates_only": True}], ids=["policy", "large"])
async def test_a_payload_that_was_left_out_is_fetched_where_it_lay(lane: Lane, left_out: dict[str, Any]) -> None:
    letters = await bury(lane, FIVE[:1], **left_out)
    assert (await redrive(lane, letters)).sent == 1
    ((record,),) = (await sent_again(lane)).values()
    assert (record.key, record.value) == (b"key", FIVE[0])
    assert dict(record.headers)["penstock-id"] == b"1"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"with_payload": False, "offset": 999}, "is no longer there"),
        ({"with_payload": False, "timestamp": 5}, "another record is at"),
        ({"error": RequestError(ErrorCode.UNREADABLE, "why")}, "nobody can read the request"),
        ({"topic": "not-ours"}, "not-ours is no request topic of these settings"),
    ],
    ids=["cut", "anew", "unreadable", "elsewhere"],
)
async def test_what_cannot_be_sent_is_left_with_its_reason(lane: Lane, changed: dict[str, Any], why: str) -> None:
    bad = await bury(lane, FIVE[:1], **changed)
    good = await bury(lane, FIVE[1:2])
    outcome = await redrive(lane, bad + good)

    assert outcome.sent == 1
    ((at, said),) = outcome.left
    assert at == (lane.dead_letters, 0, bad[0])
    assert why in said
    assert await times(lane, bad + good) == [0, 1]


async def test_a_request_without_a_value_is_left(lane: Lane) -> None:
    letters = await bury(lane, [None])
    outcome = await redrive(lane, letters)
    assert [said for _, said in outcome.left] == ["the request has no value"]


async def test_what_its_topic_no_longer_takes_holds_nothing_else_up(lane: Lane) -> None:
    options = {"bootstrap_servers": lane.bootstrap}
    letters = await bury(lane, [*FIVE[:2], b"x" * 5000, *FIVE[2:]])
    small = f"{lane.requests}-small"
    await create_topics(options, {small: 1}, configs={"max.message.bytes": "2000"})
    letters += await bury(lane, [b"y" * 3000, FIVE[0]], topic=small)

    outcome = await redrive(lane, letters, targets={lane.requests: PARTITIONS, small: 1})

    assert outcome.sent == 7
    assert [(at.offset, said) for at, said in outcome.left] == [
        (letters[6], "its topic does not take it: it is too large")
    ]
    assert await times(lane, letters[:6]) == [1] * 6
    again = await redrive(lane, letters, targets={lane.requests: PARTITIONS, small: 1})
    assert (again.sent, again.already) == (0, 7)


async def test_a_producer_that_was_shut_out_can_write_no_more(lane: Lane) -> None:
    await bury(lane, FIVE[:1])
    options, place = {"bootstrap_servers": lane.bootstrap}, TopicPartition(lane.dead_letters, 0)
    from penstock.transport.dead_letters.transaction import write_together

    async with redrive_producer(options, place) as first, redrive_producer(options, place):
        with pytest.raises(TransportError, match="somebody else"):
            await write_together(first, place, [Written(lane.requests, 0, None, b"{}", [])])
