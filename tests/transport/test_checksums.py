"""Checksums: the same by whichever code, and a wrong one is never passed."""

import importlib.util

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.transport import checksums
from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_consumer import RecordConsumer
from penstock.transport.record_encoding import SingleRecords
from penstock.transport.topics import create_topics


def batch(size: int) -> bytes:
    made = RecordBatch(1_000_000)
    made.extend(SingleRecords([(b"k", bytes(size), [])]))
    return made._build()


@given(st.binary(max_size=3000))
def test_both_ways_give_the_same_sum(data: bytes) -> None:
    assert checksums.checksum(data) == calc_crc32c(data)


@given(st.integers(0, 3), st.integers(0, 2**31))
def test_one_changed_bit_is_noticed(which: int, at: int) -> None:
    data = bytearray(b"".join(batch(5000 + each) for each in range(4)))
    assert checksums.are_right(bytes(data))
    start = sum(len(batch(5000 + each)) for each in range(which))
    place = start + 21 + at % (len(batch(5000 + which)) - 21)
    data[place] ^= 1 << at % 8
    assert not checksums.are_right(bytes(data))


def test_what_is_cut_off_at_the_end_is_left_to_the_next_fetch() -> None:
    data = batch(5000) + batch(6000)
    assert checksums.are_right(data[:-1])
    assert not checksums.are_right(data[:4000])


@pytest.mark.parametrize("data", [None, b"", batch(100), batch(5000) + batch(100), bytes(6000)])
def test_what_is_not_worth_it_is_left_to_aiokafka(data: bytes | None) -> None:
    assert not checksums.are_right(data)


def test_the_package_is_installed_with_the_worker() -> None:
    assert importlib.util.find_spec("crc32c") is not None


async def test_a_fetch_that_was_right_is_not_checked_again(bootstrap: str) -> None:
    place = TopicPartition("checked-once", 0)
    await create_topics({"bootstrap_servers": bootstrap}, {place.topic: 1})
    async with RecordConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            await producer.send_and_wait(place.topic, bytes(9000))
        consumer.assign([place])
        (records,) = (await consumer.getmany(timeout_ms=10_000)).values()
        assert len(records[0].value) == 9000
        assert consumer._fetcher._client.right == {place}


def test_without_the_package_aiokafka_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = checksums.checksum(b"123456789")
    monkeypatch.setattr(checksums, "crc32c", None)
    assert checksums.checksum(b"123456789") == with_it == 0xE3069283  # the check value of CRC-32C in RFC 3720
    assert not checksums.are_right(batch(5000))
