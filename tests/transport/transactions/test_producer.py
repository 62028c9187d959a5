"""Transactions against a real broker: what is visible, who is fenced, and what a late request can still do."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.transaction import EndTxnRequest
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.record_batch import TransactionalBatch
from penstock.transport.record_encoding import SingleRecords
from penstock.transport.transactions.client import Membership, TransactClient
from penstock.transport.transactions.errors import Fenced, InDoubt, Refused
from penstock.transport.transactions.producer import TransactionalProducer
from tests.support.committed import read_committed
from tests.support.lane import Lane
from tests.support.waiting import until

_WITHIN_S = 20.0


@pytest.fixture
async def client(lane: Lane) -> AsyncIterator[TransactClient]:
    client = TransactClient({"bootstrap_servers": lane.bootstrap}, lane.group, request_timeout_s=10.0)
    await client.start()
    await client.leader(TopicPartition(lane.replies, 3))  # the broker has heard of the new topics
    yield client
    await client.close()


def producer(client: TransactClient, lane: Lane, number: int = 3, *, timeout_s: float = 15.0) -> TransactionalProducer:
    place = TopicPartition(lane.requests, number)
    name = f"{lane.group}/{lane.requests}/{number}"
    return TransactionalProducer(client, place, name, transaction_timeout_s=timeout_s)


def batch(*values: bytes) -> TransactionalBatch:
    made = TransactionalBatch(10_000_000)
    assert made.extend(SingleRecords([(b"key", value, ()) for value in values])) == len(values)
    return made


async def state(client: TransactClient, lane: Lane, number: int = 3) -> tuple[int, str] | None:
    place = TopicPartition(lane.requests, number)
    found = (await client.committed([place], _WITHIN_S)).get(place)
    return None if found is None else (found.offset, found.metadata)


async def values(lane: Lane, number: int = 3, *, committed: bool = True) -> list[bytes]:
    return [record.value for record in await read_committed(lane, number, committed=committed)]


async def test_records_and_state_commit_together_and_in_order(lane, client):
    writer = producer(client, lane)
    await writer.start(_WITHIN_S)
    out = [TopicPartition(lane.replies, number) for number in (3, 4)]
    assert await state(client, lane) is None

    await writer.run({out[0]: batch(b"1", b"2"), out[1]: batch(b"a")}, (7, "1:AQg"), _WITHIN_S)
    await writer.run({out[0]: batch(b"3")}, (8, ""), _WITHIN_S)
    await writer.run({}, (9, "x" * 4000), _WITHIN_S)

    assert await state(client, lane) == (9, "x" * 4000)
    assert await values(lane, 3) == [b"1", b"2", b"3"]
    assert await values(lane, 4) == [b"a"]


async def test_who_starts_with_the_same_id_fences_the_one_before(lane, client):
    first, second = producer(client, lane), producer(client, lane)
    out = TopicPartition(lane.replies, 3)
    await first.start(_WITHIN_S)
    await first.run({out: batch(b"first")}, (1, ""), _WITHIN_S)
    await second.start(_WITHIN_S)
    await second.run({out: batch(b"second")}, (2, ""), _WITHIN_S)

    with pytest.raises(Fenced):
        await first.run({out: batch(b"too late")}, (99, ""), _WITHIN_S)

    assert await state(client, lane) == (2, "")
    assert await values(lane) == [b"first", b"second"]


async def test_what_is_open_is_aborted_by_the_next_who_starts(lane, client):
    class Ends(Exception):
        pass

    class Dying(TransactionalProducer):
        async def _end(self) -> None:
            raise Ends

    place = TopicPartition(lane.requests, 3)
    dying = Dying(client, place, f"{lane.group}/{lane.requests}/3", transaction_timeout_s=15.0)
    await dying.start(_WITHIN_S)
    with pytest.raises(Ends):
        await dying.run({TopicPartition(lane.replies, 3): batch(b"lost")}, (5, ""), _WITHIN_S)

    successor = producer(client, lane)
    await successor.start(_WITHIN_S)
    assert await state(client, lane) is None
    await successor.run({TopicPartition(lane.replies, 3): batch(b"found")}, (5, ""), _WITHIN_S)

    assert await values(lane) == [b"found"]
    assert await values(lane, committed=False) == [b"lost", b"found"]


async def test_a_late_request_to_end_cannot_end_the_next_transaction(lane, client):
    writer = producer(client, lane)
    await writer.start(_WITHIN_S)
    late = EndTxnRequest(writer._id, *writer._producer, True)
    await writer.start(_WITHIN_S)  # as after any error
    ended: list[int] = []
    true_end = writer._end

    async def end() -> None:
        ended.append((await client.ask_owner(writer._id, late, 0)).error_code)
        await true_end()

    writer._end = end  # type: ignore[method-assign]
    await writer.run({TopicPartition(lane.replies, 3): batch(b"whole")}, (5, ""), _WITHIN_S)

    assert ended[0] in (47, 90)  # the old epoch is refused
    assert await values(lane) == [b"whole"]


async def test_a_refused_batch_leaves_nothing_and_the_next_transaction_commits(lane, client):
    writer = producer(client, lane)
    out = [TopicPartition(lane.replies, number) for number in (3, 4)]
    await writer.start(_WITHIN_S)
    with pytest.raises(Refused) as refused:
        await writer.run({out[0]: batch(b"x" * 2_000_000), out[1]: batch(b"small")}, (5, ""), _WITHIN_S)
    assert refused.value.place == out[0]

    await writer.start(_WITHIN_S)
    assert await state(client, lane) is None
    await writer.run({out[0]: batch(b"error")}, (5, ""), _WITHIN_S)

    assert await values(lane, 3) == [b"error"]
    assert await values(lane, 4) == []


async def test_a_topic_that_is_not_there_is_refused(lane, client):
    writer = producer(client, lane)
    await writer.start(_WITHIN_S)
    with pytest.raises(Refused):
        await writer.run({TopicPartition(lane.replies, 999): batch(b"x")}, (5, ""), _WITHIN_S)


async def test_an_end_that_is_not_answered_is_in_doubt_and_the_state_tells(lane, client):
    class Unanswered(TransactionalProducer):
        async def _end(self) -> None:
            await super()._end()
            raise TimeoutError

    writer = Unanswered(client, TopicPartition(lane.requests, 3), f"{lane.group}/x", transaction_timeout_s=15.0)
    await writer.start(_WITHIN_S)
    with pytest.raises(InDoubt):
        await writer.run({TopicPartition(lane.replies, 3): batch(b"once")}, (5, ""), _WITHIN_S)

    await writer.start(_WITHIN_S)
    assert await state(client, lane) == (5, "")
    assert await values(lane) == [b"once"]


async def test_sixty_four_ids_are_taken_over_side_by_side(lane, client):
    writers = [producer(client, lane, number) for number in range(64)]
    await asyncio.gather(*(writer.start(_WITHIN_S) for writer in writers))
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(*(writer.start(_WITHIN_S) for writer in writers))
    print(f"64 producers took their ids over in {loop.time() - start:.2f} s")
    assert len({writer._producer[0] for writer in writers}) == 64


async def test_a_timeout_that_the_brokers_do_not_allow_is_told_with_the_setting(lane, client):
    with pytest.raises(TransportError, match=r"worker\.transaction_timeout_s"):
        await producer(client, lane, timeout_s=20_000.0).start(_WITHIN_S)


async def test_membership_is_told_by_the_group(lane, client):
    async with AIOKafkaConsumer(lane.requests, group_id=lane.group, bootstrap_servers=lane.bootstrap) as consumer:
        coordinator = consumer._coordinator
        await until(lambda: coordinator.generation > 0, what="the group has a generation")
        now = Membership(coordinator.generation, coordinator.member_id)
        assert await client.is_member(now)
        assert not await client.is_member(now._replace(generation=now.generation - 1))
        assert not await client.is_member(now._replace(member_id="nobody"))
        assert not await client.is_member(now._replace(member_id=""))
    assert not await client.is_member(now)
