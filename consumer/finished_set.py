"""A set of offsets kept as runs, and its form in the metadata of a committed offset.

A group commits one number per partition: the next offset. What was finished beyond it, while something before it
still waits, would be done again after a restart; so the runs of finished offsets travel with the commit.

Form, version 1: `1:` and the URL-safe base64 of unsigned LEB128 numbers, alternately the gap before a run and the
length of the run, counted from the committed offset.
"""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

MAX_METADATA_BYTES: Final = 4000  # the broker's default bound is 4,096 (offset.metadata.max.bytes)
_PREFIX: Final = "1:"
_MAX_BINARY: Final = (MAX_METADATA_BYTES - len(_PREFIX)) * 3 // 4  # base64 makes four characters of three bytes


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
        out = bytearray()
        at = base
        for start, stop in self:
            before = len(out)
            _put(out, start - at)
            _put(out, stop - start)
            at = stop
            if len(out) > _MAX_BINARY:
                del out[before:]
                break
        return _PREFIX + base64.urlsafe_b64encode(out).rstrip(b"=").decode()

    @classmethod
    def decode(cls, metadata: str, base: int) -> "FinishedSet":
        """Read the form above. Metadata that is not ours (another program's commit) is an empty set."""
        found = cls()
        if not metadata.startswith(_PREFIX):
            return found
        text = metadata[len(_PREFIX) :]
        try:
            numbers = list(_numbers(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        except (binascii.Error, ValueError):
            return found
        at = base
        for gap, length in zip(numbers[::2], numbers[1::2], strict=False):
            if length:
                found.add(at + gap, at + gap + length)
            at += gap + length
        # Anything can look like ours; what is ours says the same again. An offset is a signed number of 64 bits.
        return found if at < 2**63 and found.encode(base) == metadata else cls()


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
