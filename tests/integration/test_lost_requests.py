"""Requests that Kafka does not have any more: said loudly, and what is left is served."""

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from penstock.consumer.lost_requests import Loss, loss_of
from penstock.schemas.control.specs import Lane as Wanted
from tests.support.lane import PARTITIONS, Lane
from tests.support.messages import data_of, infer
from tests.support.waiting import until


def requests(first: int, count: int) -> list[tuple[int, bytes, bytes, list[tuple[str, bytes]]]]:
    return [(0, b"key", infer([number, 0, 0]), []) for number in range(first, first + count)]


async def remove_before(lane: Lane, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=lane.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(lane.requests, 0): RecordsToDelete(offset)})
    finally:
        await admin.close()


async def test_requests_removed_before_they_were_served_are_counted_and_the_others_answered(lane: Lane, inside_worker):
    async with inside_worker():
        await lane.send(requests(0, 5))
        await lane.wait_until_committed()
    await lane.send(requests(5, 10))
    await remove_before(lane, 12)
    async with inside_worker() as inside:
        replies = await lane.read(enough=8)
        await lane.wait_until_committed()
        assert [data_of(reply)[0] // 2 for reply in replies] == [0, 1, 2, 3, 4, 12, 13, 14]
        assert inside.value("penstock_lost_requests_total") == 7
        await lane.send(requests(15, 1))
        await lane.wait_until_committed()
        assert inside.value("penstock_lost_requests_total") == 7


async def test_requests_removed_under_a_running_worker_are_counted_too(lane: Lane, inside_worker):
    # A worker that begins at the end must not go there when it is overtaken: what is left is still to be served.
    async with inside_worker(worker__auto_offset_reset="latest") as inside:
        inside.worker.lanes.apply({lane.requests: Wanted(state="paused")})
        await until(lambda: len(inside.worker._consumer.paused()) == PARTITIONS)
        await lane.send(requests(0, 10))
        await remove_before(lane, 4)
        inside.worker.lanes.apply({})
        replies = await lane.read(enough=6)
        assert [data_of(reply)[0] // 2 for reply in replies] == [4, 5, 6, 7, 8, 9]
        assert inside.value("penstock_lost_requests_total") == 4


async def test_a_log_that_ends_before_the_commit_is_told_of_and_served_from_its_end(lane: Lane, inside_worker):
    await lane.send(requests(0, 10))
    place = TopicPartition(lane.requests, 0)
    async with AIOKafkaConsumer(bootstrap_servers=lane.bootstrap, group_id=lane.group) as consumer:
        consumer.assign([place])
        await consumer.commit({place: 50})
    async with inside_worker() as inside:
        await until(lambda: inside.value("penstock_lost_requests_total") == 40)
        await lane.send(requests(10, 2))
        replies = await lane.read(enough=2)
        assert [data_of(reply)[0] // 2 for reply in replies] == [10, 11]
        await lane.wait_until_committed()


def test_a_position_inside_the_log_has_lost_nothing() -> None:
    assert loss_of(5, 5, 5) is None
    assert loss_of(5, 0, 9) is None
    assert loss_of(5, 6, 9) == Loss("removed", 5, 6)
    assert loss_of(9, 0, 5) == Loss("cut off", 5, 9)
