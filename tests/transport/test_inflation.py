"""How large a record batch becomes is known before it is decompressed."""

from typing import Any

import pytest
from aiokafka import codec
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from penstock.transport.inflation import is_swollen, swollen_among

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = pytest.mark.parametrize("kind", [GZIP, SNAPPY, LZ4, ZSTD], ids=["gzip", "snappy", "lz4", "zstd"])
MEBIBYTE = 1 << 20


def batch_of(kind: int, value: bytes, count: int = 1) -> bytes:
    """A record batch of so many records."""
    builder: Any = DefaultRecordBatchBuilder(2, kind, 0, -1, -1, -1, 1 << 30)
    for at in range(count):
        assert builder.append(at, 0, None, value, []) is not None
    return bytes(builder.build())


@CODECS
def test_zeros_that_take_nothing_are_found(kind: int) -> None:
    batch = batch_of(kind, bytes(8 * MEBIBYTE))
    assert len(batch) < MEBIBYTE
    assert is_swollen(batch, 8 * MEBIBYTE)
    assert not is_swollen(batch, 17 * MEBIBYTE)


@CODECS
def test_requests_that_are_alike_are_no_bomb(kind: int) -> None:
    value = b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1.5,2.25,0.125]}]}'
    assert not is_swollen(batch_of(kind, value, 10_000), 8 * MEBIBYTE)


@CODECS
@given(value=st.binary(max_size=2000), count=st.integers(1, 50))
def test_what_is_found_is_never_too_small(kind: int, value: bytes, count: int) -> None:
    assert is_swollen(batch_of(kind, value, count), len(value) * count - 1)


def test_a_batch_that_is_not_compressed_is_as_large_as_it_is() -> None:
    assert not is_swollen(batch_of(0, bytes(1000)), 10)


def test_frames_that_follow_one_another_count_together() -> None:
    for kind, frame in ((GZIP, codec.gzip_encode), (LZ4, codec.lz4_encode), (ZSTD, codec.zstd_encode)):
        whole = batch_of(kind, b"")[:61] + frame(bytes(MEBIBYTE)) * 8
        assert is_swollen(whole, 8 * MEBIBYTE - 1)


def test_blocks_of_snappy_count_by_what_they_say() -> None:
    for xerial in (True, False):
        payload = codec.snappy_encode(bytes(MEBIBYTE), xerial_compatible=xerial)
        batch = batch_of(SNAPPY, b"")[:61] + payload
        assert (is_swollen(batch, MEBIBYTE - 1), is_swollen(batch, MEBIBYTE)) == (True, False)


@CODECS
@given(junk=st.binary(max_size=200))
def test_bytes_of_any_kind_are_judged_and_never_raise(kind: int, junk: bytes) -> None:
    assert is_swollen(batch_of(kind, b"")[:61] + junk, 1000) in (True, False)


@CODECS
def test_what_is_cut_off_is_taken_for_swollen(kind: int) -> None:
    batch = batch_of(kind, bytes(range(256)) * 1000)
    assert is_swollen(batch[:-3], 1 << 40 if kind != GZIP else 1) is True


def test_swollen_batches_are_named_by_their_first_offsets() -> None:
    good, bad = batch_of(ZSTD, b"small", 3), batch_of(ZSTD, bytes(8 * MEBIBYTE))
    data = b"".join(
        first.to_bytes(8, "big") + batch[8:] for first, batch in ((5, good), (8, bad), (9, good), (12, bad))
    )
    assert swollen_among(data, MEBIBYTE) == {8, 12}
    assert swollen_among(data[:-1], MEBIBYTE) == {8}
    assert swollen_among(b"", MEBIBYTE) == frozenset()
