"""How large compressed record batches become, found out before they are decompressed.

Some kilobytes may hold gigabytes. Brokers look at a batch's size as it came, unless the topic has
`compression.type=uncompressed`, and aiokafka's codecs know no bound. What is returned here is never too small; with
zstd and lz4 it may be more than the truth by a part of each block.

Sources: RFC 8878 3.1 (zstd), lz4_Frame_format.md 1.6.1, google/snappy format_description.txt and snappy-java's
SnappyOutputStream, RFC 1951 (a byte of deflate holds 1,032 at most), kafka.apache.org/documentation "Record Batch".
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

MAX_BATCH_BYTES: Final = 64 * 1024 * 1024  # where nobody says otherwise

_BATCH_LENGTH_AT, _MAGIC_AT, _CODEC_AT, _RECORDS_AT = 8, 16, 22, 61
_UNCOUNTED: Final = 12  # bytes of a batch before what its length counts
_CODEC_MASK: Final = 0x07
_ZSTD, _LZ4 = 0xFD2FB528, 0x184D2204
_SKIPPED: Final = range(0x184D2A50, 0x184D2A60)  # frames that hold nothing, of both
_ZSTD_BLOCK: Final = 128 * 1024
_DEFLATE: Final = 1032
_STEP: Final = 1 << 20
_XERIAL, _XERIAL_HEADER = b"\x82SNAPPY\0", 16


class Swollen(Exception):
    """A record batch that would become larger than the worker may hold."""


def is_swollen(batch: bytes | memoryview, most: int) -> bool:
    """Tell whether the records of a batch take more than so many bytes, or are written as no codec writes them.

    Args:
        batch: all of its bytes, of format 2; others have no bound here.
        most: a bound in bytes.
    """
    codec = batch[_CODEC_AT] & _CODEC_MASK if len(batch) > _RECORDS_AT and batch[_MAGIC_AT] == 2 else 0
    if not codec:
        return False
    found = 0
    try:
        for size in _CODECS[codec](memoryview(batch)[_RECORDS_AT:], most):
            found += size
            if found > most:
                return True
    except (KeyError, IndexError, zlib.error):
        return True
    return False


def swollen_among(data: bytes, most: int) -> frozenset[int]:
    """Return the first offsets of those record batches that are swollen.

    Args:
        data: record batches, the last one perhaps cut off.
        most: a bound in bytes on each.
    """
    view, at, found = memoryview(data), 0, set[int]()
    while len(data) - at > _RECORDS_AT:
        end = at + _UNCOUNTED + _int(view, at + _BATCH_LENGTH_AT, 4, "big")
        if end > len(data):
            break
        if is_swollen(view[at:end], most):
            found.add(_int(view, at, 8, "big"))
        at = end
    return frozenset(found)


def _gzip(data: memoryview, most: int) -> Iterator[int]:
    if len(data) * _DEFLATE <= most:
        yield len(data) * _DEFLATE
        return
    left = bytes(data)
    while left:
        member = zlib.decompressobj(wbits=31)
        while left and not member.eof:
            yield len(member.decompress(left, _STEP))
            left = member.unconsumed_tail
        left = member.unused_data


def _snappy(data: memoryview, _: int) -> Iterator[int]:
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        yield _varint(data)
        return
    at = _XERIAL_HEADER
    while at < len(data):
        yield _varint(data[at + 4 :])
        at += 4 + _int(data, at, 4, "big")
    _check_whole(data, at)


def _lz4(data: memoryview, _: int) -> Iterator[int]:
    at = 0
    while at < len(data):
        magic = _int(data, at, 4)
        if magic in _SKIPPED:
            at += 8 + _int(data, at + 4, 4)
            continue
        if magic != _LZ4:
            raise KeyError(magic)
        flags, largest = data[at + 4], 1 << (2 * (data[at + 5] >> 4 & 7) + 8)
        at += 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
        while size := _int(data, at, 4):
            plain, size = size >> 31, size & 0x7FFFFFFF
            yield size if plain else largest
            at += 4 + size + (4 if flags & 0x10 else 0)
        at += 4 + (4 if flags & 0x04 else 0)


def _zstd(data: memoryview, _: int) -> Iterator[int]:
    at = 0
    while at < len(data):
        magic = _int(data, at, 4)
        if magic in _SKIPPED:
            at += 8 + _int(data, at + 4, 4)
            continue
        if magic != _ZSTD:
            raise KeyError(magic)
        head = data[at + 4]
        single, length = head >> 5 & 1, (0, 2, 4, 8)[head >> 6]
        at += 5 + (1 - single) + (0, 1, 2, 4)[head & 3] + (1 if single and not length else length)
        last = 0
        while not last:
            block = _int(data, at, 3)
            last, kind, size = block & 1, block >> 1 & 3, block >> 3
            yield size if kind < 2 else _ZSTD_BLOCK
            at += 3 + (1 if kind == 1 else size)
        at += 4 if head & 4 else 0
    _check_whole(data, at)


_CODECS: Final[Mapping[int, Callable[[memoryview, int], Iterator[int]]]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}


def _check_whole(data: memoryview, end: int) -> None:
    """Raise IndexError where the last block says that it is longer than what is there."""
    if end > len(data):
        raise IndexError(end)


def _int(data: memoryview, at: int, size: int, order: str = "little") -> int:
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "big" if order == "big" else "little")


def _varint(data: memoryview) -> int:
    """Read an unsigned LEB128 number of 32 bits."""
    number = 0
    for place in range(5):
        number |= (data[place] & 0x7F) << (7 * place)
        if data[place] < 0x80:
            return number
    raise KeyError(number)
