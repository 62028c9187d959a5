"""Parts that stop without a word, on a real Kafka: they are found, told, and begun anew."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka.structs import TopicPartition

from penstock import Worker
from penstock.consumer.committer import Committer
from penstock.consumer.pipeline import Pipeline
from penstock.consumer.watching.watchdog import StalledError
from tests.support.embedding import DOUBLER, on
from tests.support.lane import Lane
from tests.support.messages import infer
from tests.support.waiting import until
from tests.support.worker_inside import InsideWorker

SOON = {"worker__stall_timeout_s": 1.0}


def some(count: int) -> list[tuple[int, bytes, bytes, list[tuple[str, bytes]]]]:
    return [(0, b"key", infer([number, 0, 0]), []) for number in range(count)]


async def stop_fetching(pipeline: Pipeline) -> None:
    """Kill what brings records, inside of aiokafka, as a fault of its own would."""
    fetcher = pipeline._consumer._fetcher
    fetcher._fetch_task.cancel()
    await until(lambda: all(task.done() for task in fetcher._pending_tasks))


async def stalled(inside: InsideWorker) -> StalledError:
    task = inside._task
    assert task is not None
    with pytest.raises(StalledError) as error:
        await asyncio.wait_for(asyncio.shield(task), 30)
    inside._task = None
    return error.value


async def test_a_fetch_that_has_gone_astray_is_begun_anew(lane: Lane, inside_worker: Callable[..., InsideWorker]):
    async with inside_worker(**SOON) as inside:
        consumer, place = inside.worker._consumer, TopicPartition(lane.requests, 0)
        getmany = consumer.getmany

        async def nothing(*places: TopicPartition, **options: object) -> dict[TopicPartition, object]:
            fetched = await getmany(*places, **options)
            if fetched:
                consumer.seek(place, 0)  # whatever came is gone, and its fetch comes to nothing
            return {}

        consumer.getmany = nothing
        await lane.send(some(5))
        await until(lambda: inside.value("penstock_stalls_total") == 1)
        consumer.getmany = getmany
        await lane.read(enough=5)
        await lane.wait_until_committed()


async def test_a_fetcher_that_is_dead_ends_the_pipeline(lane: Lane, inside_worker: Callable[..., InsideWorker]):
    async with inside_worker(**SOON) as inside:
        await stop_fetching(inside.worker)
        await lane.send(some(5))
        error = await stalled(inside)
        assert f"{lane.requests}/0" in str(error)
        assert "from offset 0 on" in str(error)


async def test_commits_that_never_end_end_the_pipeline(lane: Lane, inside_worker: Callable[..., InsideWorker]):
    async with inside_worker(**SOON) as inside:
        committer = inside.worker._committer
        assert isinstance(committer, Committer)
        async with committer._lock:
            await lane.send(some(5))
            error = await stalled(inside)
        assert "was not committed" in str(error)


async def test_a_pipeline_that_stalls_is_followed_by_another(lane: Lane):
    async with Worker(DOUBLER, **on(lane), worker__stall_timeout_s=1.0) as worker:
        pipeline = worker._service.pipeline
        assert pipeline is not None
        await stop_fetching(pipeline)
        await lane.send(some(5))
        await lane.read(enough=5)
        await lane.wait_until_committed()
        assert worker._service.pipeline is not pipeline
        assert worker.registry.get_sample_value("penstock_restarts_total") == 1


async def test_an_idle_worker_is_not_stalled(lane: Lane, inside_worker: Callable[..., InsideWorker]):
    async with inside_worker(**SOON) as inside, lane.producer(transactional_id=f"{lane.group}-t") as producer:
        async with producer.transaction():
            await producer.send(lane.requests, infer([1, 0, 0]), partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(lane.requests, infer([2, 0, 0]), partition=0)
        await producer.abort_transaction()
        await lane.read(enough=1)
        for _ in range(30):  # the log ends in markers, and in a request that was taken back
            await inside.worker._watchdog.look()
            await asyncio.sleep(0.1)
        assert inside.value("penstock_stalls_total") == 0
