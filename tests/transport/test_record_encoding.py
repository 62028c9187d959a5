"""Records and record batches of our own: byte for byte what aiokafka's builder makes, and what its reader reads."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from penstock.schemas.headers import Header
from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_encoding import OwnHeader, RecordColumns, Records, SingleRecords, number

NOW_MS = 1_700_000_000_000
TEXT = st.text(max_size=20)
BYTES = st.binary(max_size=80)
HEADERS = st.lists(st.tuples(TEXT, st.none() | BYTES), max_size=3)
SINGLE = st.tuples(st.none() | BYTES, st.none() | BYTES, HEADERS)


def built(*parts: tuple[Records, int]) -> bytes:
    batch = RecordBatch(10_000_000)
    for records, stamp in parts:
        assert batch.extend(records, stamp) == len(records)
    batch._set_producer_state(7, 2, 99)
    return batch._build()


def reference(records: Sequence[tuple[Any, Any, Any]], stamps: Sequence[int]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000_000)
    for offset, ((key, value, headers), stamp) in enumerate(zip(records, stamps, strict=True)):
        builder.append(offset, stamp, key, value, list(headers))
    builder.set_producer_state(7, 2, 99)
    return bytes(builder.build())


@given(st.lists(SINGLE, min_size=1, max_size=5), st.lists(st.integers(-100_000, 100_000), min_size=5, max_size=5))
def test_single_records_are_what_aiokafka_writes(records: list[Any], steps: list[int]) -> None:
    stamps = [NOW_MS + step for step in steps[: len(records)]]
    parts = [(SingleRecords([record]), stamp) for record, stamp in zip(records, stamps, strict=True)]
    assert built(*parts) == reference(records, stamps)


@st.composite
def columns(draw: st.DrawFn) -> tuple[RecordColumns, list[tuple[Any, Any, list[Header]]]]:
    """Records in columns, and one by one."""
    count = draw(st.integers(1, 6))

    def each(strategy: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(strategy, min_size=count, max_size=count))

    keys, values = each(st.none() | BYTES), each(BYTES)
    shared = draw(st.lists(st.tuples(st.sampled_from(["a", "%s", "ü"]), BYTES), max_size=2))
    own: list[OwnHeader] = []
    if draw(st.booleans()):
        own.append(OwnHeader("id%d", each(BYTES), draw(st.sampled_from([b"", b"50%"]))))
    if draw(st.booleans()):
        start = draw(st.sampled_from([0, 7, 95, 2**40]))
        own.append(OwnHeader("source", list(range(start, start + count)), b"t%d/5/"))
    singles = []
    for at in range(count):
        found = [(name, prefix + _text(column[at])) for name, column, prefix in own]
        singles.append((keys[at], values[at], [*found, *shared]))
    return RecordColumns(keys, values, own, shared), singles


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b"%d" % value


@given(columns(), st.data())
def test_records_in_columns_are_what_aiokafka_writes(made: Any, data: st.DataObject) -> None:
    records, singles = made
    assert built((records, NOW_MS)) == reference(singles, [NOW_MS] * len(singles))
    part = slice(data.draw(st.integers(0, len(singles) - 1)), None)
    assert built((records[part], NOW_MS)) == reference(singles[part], [NOW_MS] * len(singles[part]))


@pytest.mark.parametrize("value", [0, 1, -1, 63, 64, 8191, 8192, -(2**40), 2**62])
def test_numbers_are_zig_zag_encoded(value: int) -> None:
    encoded, found = number(value), 0
    for place, byte in enumerate(encoded):
        found |= (byte & 0x7F) << 7 * place
        assert (byte >= 0x80) == (place + 1 < len(encoded))
    assert (found >> 1) ^ -(found & 1) == value


def test_large_numbers_are_not_remembered() -> None:
    for value in range(10**6, 10**6 + 50):
        number(value)
    assert 10**6 not in getattr(number, "__self__")  # noqa: B009


def test_a_full_batch_takes_as_many_as_fit() -> None:
    records = SingleRecords([(b"k", b"x" * 100, [])] * 50)
    whole = len(built((records, NOW_MS)))
    for most in (whole - 1, whole // 2, 400):
        batch = RecordBatch(most)
        taken = batch.extend(records, NOW_MS)
        assert 0 < taken < 50
        assert batch.size() <= most < len(built((records[: taken + 1], NOW_MS)))
        assert batch.extend(records[taken:], NOW_MS) == 0
        assert len(list(DefaultRecordBatch(batch._build()))) == taken == batch.record_count()


def test_the_first_record_is_taken_whatever_its_size() -> None:
    batch = RecordBatch(100)
    assert batch.extend(SingleRecords([(None, b"x" * 500, []), (None, b"y", [])]), NOW_MS) == 1
    assert batch.append(timestamp=NOW_MS, key=None, value=b"z") is None
    assert batch.size() == len(batch._build()) == batch.size()


def test_a_batch_is_stamped_with_its_own_times() -> None:
    batch = DefaultRecordBatch(built((SingleRecords([(b"", b"", [])]), 50), (SingleRecords([(b"", b"", [])]), 20)))
    assert (batch.first_timestamp, batch.max_timestamp) == (50, 50)
    assert batch.validate_crc()
    assert [record.timestamp for record in batch] == [50, 20]
