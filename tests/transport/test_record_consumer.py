"""The consumer that lists whole record batches gives what its parent gives."""

import asyncio
import gc
import inspect
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_consumer import RecordConsumer, _Batches
from penstock.transport.record_encoding import SingleRecords
from penstock.transport.topics import create_topics

PLACE = TopicPartition("mixed-batches", 0)


@pytest.fixture(scope="module")
async def mixed(bootstrap: str) -> str:
    """A partition with plain, compressed, committed and taken-back batches, headers, nulls and markers."""
    options = {"bootstrap_servers": bootstrap}
    await create_topics(options, {PLACE.topic: 1})
    for compression in (None, "gzip"):
        async with AIOKafkaProducer(**options, compression_type=compression) as producer:
            headers = [("a", b"1"), ("ü", b"")]
            sent = [await producer.send(PLACE.topic, b"%d" % at, key=b"k", headers=headers) for at in range(40)]
            await asyncio.gather(*sent)
    async with AIOKafkaProducer(**options, transactional_id="mixed") as producer:
        for commit in (True, False, True):
            await producer.begin_transaction()
            for at in range(20):
                await producer.send(PLACE.topic, b"t%d" % at, key=None if at % 2 else b"x")
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    async with AIOKafkaProducer(**options) as producer:
        await producer.send_and_wait(PLACE.topic, None, key=b"last")
    return bootstrap


async def all_of(consumer: AIOKafkaConsumer, most: int | None, start: int) -> list[Any]:
    """Everything from an offset on, as tuples."""
    found: list[Any] = []
    async with asyncio.timeout(20):
        consumer.assign([PLACE])
        consumer.seek(PLACE, start)
        while not found or found[-1][1] != b"last":
            for records in (await consumer.getmany(timeout_ms=500, max_records=most)).values():
                assert most is None or len(records) <= most
                found += [
                    (record.offset, record.key, record.value, tuple(record.headers), record.timestamp)
                    for record in records
                ]
                # The position moves with what is handed out, so that a commit or a seek means the same.
                assert await consumer.position(PLACE) > records[-1].offset
    return found


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
@pytest.mark.parametrize(("most", "start"), [(None, 0), (7, 0), (1, 95), (40, 13), (None, 110)])
async def test_it_gives_what_aiokafka_gives(mixed: str, isolation: str, most: int | None, start: int) -> None:
    options: dict[str, Any] = {"bootstrap_servers": mixed, "isolation_level": isolation}
    async with AIOKafkaConsumer(**options) as usual, RecordConsumer(**options) as ours:
        assert await all_of(ours, most, start) == await all_of(usual, most, start)


async def test_a_paused_partition_gives_nothing_and_goes_on_where_it_was(mixed: str) -> None:
    async with RecordConsumer(bootstrap_servers=mixed) as consumer:
        consumer.assign([PLACE])
        consumer.seek(PLACE, 0)
        (records,) = (await consumer.getmany(timeout_ms=5000, max_records=5)).values()
        consumer.pause(PLACE)
        assert await consumer.getmany(timeout_ms=50) == {}
        consumer.resume(PLACE)
        (more,) = (await consumer.getmany(timeout_ms=5000, max_records=5)).values()
        assert [record.offset for record in (*records, *more)] == list(range(10))


def batches_of(data: bytes, *, check: bool = True) -> tuple[_Batches, FetchResult]:
    """What a fetch of these bytes becomes, without a broker."""
    source = PartitionRecords(PLACE, MemoryRecords(data), [], 0, None, None, check, 0)
    result = FetchResult(PLACE, assignment=None, partition_records=source, backoff=0)
    result.check_assignment = lambda _: True
    result._update_position = lambda: None
    return _Batches(result), result


def batch_of(values: Sequence[bytes]) -> bytes:
    batch = RecordBatch(100_000)
    batch.extend(SingleRecords([(None, value, []) for value in values]))
    return batch._build()


def test_a_wrong_checksum_is_an_error_unless_nobody_asked() -> None:
    data = bytearray(batch_of([b"abc"]))
    data[-2] ^= 1
    batches, _whole = batches_of(bytes(data))
    with pytest.raises(kafka_errors.CorruptRecordException):
        batches.take()
    batches, _whole = batches_of(bytes(data), check=False)
    assert len(batches.take()) == 1


def test_what_was_fetched_goes_without_the_garbage_collector() -> None:
    batches, result = batches_of(batch_of([b"abc"]))
    result.getall = batches.take
    gone = [weakref.ref(batches), weakref.ref(result), weakref.ref(batches._source)]
    gc.disable()
    try:
        del batches, result
        assert [each() for each in gone] == [None, None, None]
    finally:
        gc.enable()


def test_the_internals_that_it_stands_on_are_where_they_were() -> None:
    assert "self._records[tp] = FetchResult(" in inspect.getsource(Fetcher._proc_fetch_request)
    assert ".getall(max_records)" in inspect.getsource(Fetcher.fetched_records)
    assert "self._fetcher = Fetcher(" in inspect.getsource(AIOKafkaConsumer.start)
    taken_over = ("_records", "_aborted_producers", "_check_crcs", "_isolation_level", "next_fetch_offset")
    source = inspect.getsource(PartitionRecords)
    assert all(f"self.{name}" in source for name in taken_over)
