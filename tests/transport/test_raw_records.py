"""The walk over record batches as bytes believes nothing that a damaged one says of itself."""

from collections.abc import Callable

import pytest
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.transport.raw_records import walk
from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_encoding import SingleRecords

PLACE = TopicPartition("damaged", 0)
LENGTH_AT, CHECKSUM_AT, LAST_DELTA_AT = 8, 17, 23


def batch_at(first: int, count: int) -> bytes:
    """A record batch of so many records, whose values are their offsets."""
    batch = RecordBatch(100_000)
    assert batch.extend(SingleRecords([(None, b"%d" % (first + at), []) for at in range(count)])) == count
    return first.to_bytes(8, "big") + batch._build()[8:]


def flipped(batch: bytes, at: int) -> bytes:
    return batch[:at] + bytes([batch[at] ^ 0x40]) + batch[at + 1 :]


def found_in(data: bytes, offset: int = 10, end: int | None = None) -> dict[int, bytes | None]:
    return {at: record and record.value for at, record in walk(PLACE, data, offset, end=end)}


GOOD, NEXT = batch_at(10, 3), batch_at(13, 2)
BOTH = {at: b"%d" % at for at in range(10, 15)}
LOST = {10: None, 11: None, 12: None}


def test_sound_batches_are_read_from_the_offset_on() -> None:
    assert found_in(GOOD + NEXT) == BOTH
    assert found_in(GOOD + NEXT, 12) == {12: b"12", 13: b"13", 14: b"14"}
    assert found_in(GOOD + NEXT[:-1]) == {at: BOTH[at] for at in range(10, 13)}
    assert found_in(b"") == {}


@pytest.mark.parametrize("at", [CHECKSUM_AT, LAST_DELTA_AT, LAST_DELTA_AT + 3, len(GOOD) - 1])
def test_a_damaged_batch_ends_where_the_next_sound_one_begins(at: int) -> None:
    assert found_in(flipped(GOOD, at) + NEXT) == LOST | {13: b"13", 14: b"14"}


def test_the_last_damaged_batch_ends_with_the_partition_at_the_latest() -> None:
    assert found_in(flipped(GOOD, CHECKSUM_AT), end=13) == LOST
    assert found_in(flipped(GOOD, LAST_DELTA_AT), end=13) == {10: None}, "it says that it is endless"


@pytest.mark.parametrize("at", range(LENGTH_AT, LENGTH_AT + 4))
def test_a_length_that_is_wrong_leads_nowhere(at: int) -> None:
    assert set(found_in(flipped(GOOD, at) + NEXT, end=15).values()) <= {None}


def test_a_first_offset_that_cannot_be_is_not_believed() -> None:
    assert found_in((2**40).to_bytes(8, "big") + GOOD[8:] + NEXT, end=15) == LOST | {13: b"13", 14: b"14"}
    assert found_in(bytes(8) + GOOD[8:] + NEXT, end=15) == LOST | {13: b"13", 14: b"14"}


def test_two_damaged_batches_in_a_row_are_passed_one_at_a_time() -> None:
    damaged = flipped(GOOD, CHECKSUM_AT) + flipped(NEXT, CHECKSUM_AT)
    assert found_in(damaged, end=15) == LOST
    assert found_in(damaged[len(GOOD) :], 13, end=15) == {13: None, 14: None}


MOVES: list[Callable[[bytes, int], bytes]] = [
    flipped,
    lambda data, at: data[:at],
    lambda data, at: data[:at] + data[at + 1 :],
]


@given(at=st.integers(0, len(GOOD) + len(NEXT) - 1), move=st.sampled_from(MOVES))
def test_whatever_is_damaged_offsets_ascend_within_the_partition(at: int, move: Callable[[bytes, int], bytes]) -> None:
    if move is flipped and (at < LENGTH_AT or len(GOOD) <= at < len(GOOD) + LENGTH_AT):
        return  # the first offset is under no checksum, and may be a little wrong
    offsets = [offset for offset, _ in walk(PLACE, move(GOOD + NEXT, at), 10, end=15)]
    assert offsets == sorted(set(offsets))
    assert set(offsets) <= set(range(10, 15))
