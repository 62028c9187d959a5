"""A set of offsets kept as runs, and its form in the metadata of a committed offset.

A group commits one number per partition: the next offset. What was finished beyond it, while something before it
still waits, would be done again after a restart; so the runs of finished offsets travel with the commit.

Form, version 1: `1:` and the URL-safe base64 of unsigned LEB128 numbers, alternately the gap before a run and the
length of the run, counted from the committed offset. Version 2, where that is too long: `2:` and the URL-safe base64 of
the same numbers compressed by zlib (RFC 1950), which takes a third of the room or less, for most of them are small.
"""

import base64
import binascii
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import chain
from operator import sub
from typing import Final

MAX_METADATA_BYTES: Final = 4000  # the broker's default bound is 4,096 (offset.metadata.max.bytes)
_PLAIN: Final = "1:"
_COMPRESSED: Final = "2:"
_MAX_BINARY: Final = (MAX_METADATA_BYTES - 2) * 3 // 4  # base64 makes four characters of three bytes
_FEW_BINARY: Final = 1024  # what is shorter is not worth compressing
_MOST_NUMBERS: Final = 1024 * 1024  # bytes of them; what is compressed comes from outside


class FinishedSet:
    """Disjoint, sorted runs `[start, stop)` of offsets; neighbours are merged."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._stops, strict=True))

    def __contains__(self, offset: int) -> bool:
        place = bisect_right(self._starts, offset) - 1
        return place >= 0 and offset < self._stops[place]

    def __repr__(self) -> str:
        return f"<FinishedSet {list(self)}>"

    def add(self, start: int, stop: int) -> None:
        """Add the offsets of `[start, stop)`; some or all may be in already."""
        low = bisect_left(self._stops, start)  # the first run that touches or follows
        high = bisect_right(self._starts, stop)  # past the last run that touches or precedes
        if low < high:
            start = min(start, self._starts[low])
            stop = max(stop, self._stops[high - 1])
        self._starts[low:high] = [start]
        self._stops[low:high] = [stop]

    def pop_from(self, offset: int) -> int:
        """Remove the run that begins at or before `offset` and return where it stops, else return `offset`."""
        while self._starts and self._starts[0] <= offset:
            del self._starts[0]
            offset = max(offset, self._stops.pop(0))
        return offset

    def encode(self, base: int) -> str:
        """Return the form above, relative to the committed offset `base`; empty for an empty set.

        Runs that would not fit `MAX_METADATA_BYTES` are left out: after a restart they are done again.
        """
        if not self._starts:
            return ""
        runs = len(self._starts)
        binary = self._binary(base, runs)
        if len(binary) <= _FEW_BINARY:
            return _PLAIN + _text(binary)
        while len(packed := zlib.compress(binary)) > _MAX_BINARY:
            runs = runs * _MAX_BINARY // len(packed) - 1  # it takes a try or two
            binary = self._binary(base, runs)
        return _COMPRESSED + _text(packed)

    @classmethod
    def decode(cls, metadata: str, base: int) -> "FinishedSet":
        """Read the form above. Metadata that is not ours (another program's commit) is an empty set."""
        prefix, text = metadata[:2], metadata[2:]
        if prefix not in (_PLAIN, _COMPRESSED):
            return cls()
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            binary = data if prefix == _PLAIN else _unpacked(data)
        except (binascii.Error, ValueError, zlib.error):
            return cls()
        found, at = cls(), base
        numbers = list(_numbers(binary))
        for gap, length in zip(numbers[::2], numbers[1::2], strict=False):
            if length:
                found.add(at + gap, at + gap + length)
            at += gap + length
        # Anything can look like ours; what is ours says the same again. An offset is a signed number of 64 bits.
        ours = _text(data) == text and found._binary(base, len(found)) == binary
        return found if ours and at < 2**63 else cls()

    def _binary(self, base: int, runs: int) -> bytes:
        """Return the numbers of the first runs."""
        starts, stops = self._starts[:runs], self._stops[:runs]
        before = [base, *stops[:-1]]
        numbers = [*chain.from_iterable(zip(map(sub, starts, before), map(sub, stops, starts), strict=True))]
        if numbers and max(numbers) < 0x80:  # a byte each, as nearly always where there are many
            return bytes(numbers)
        out = bytearray()
        for number in numbers:
            _put(out, number)
        return bytes(out)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(data: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    binary = unpacking.decompress(data, _MOST_NUMBERS)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("cut off, or followed by something else")
    return binary


def _put(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
