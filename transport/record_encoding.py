"""Records as Kafka writes them, many at a time.

aiokafka's builder encodes the name of every header of every record. Here what records share becomes a template, and
the rest is put into it: a batch of 500 records with four headers takes two thirds of the time of that builder, which is
compiled; three quarters without crc32c. A lone record takes three times as long, 8 us more
(`python -m benchmarks.publishing`).

Source: kafka.apache.org/documentation, "Record" (message format version 2): numbers are signed variable-length ones,
zig-zag encoded as in Protocol Buffers. The length of a record stands before it and is left to `record_batch.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol, Self, overload

from penstock.schemas.headers import Header

_REMEMBERED: Final = 1 << 14  # numbers whose encoding is kept; lengths and offsets within a batch are mostly smaller


class _Numbers(dict[int, bytes]):
    """Number -> its encoding; those remembered are looked up by C code."""

    def __missing__(self, number: int) -> bytes:
        left = (number << 1) ^ (number >> 63)
        encoded = bytearray()
        while left >= 0x80:
            encoded.append(left & 0x7F | 0x80)
            left >>= 7
        encoded.append(left)
        if 0 <= number < _REMEMBERED:
            self[number] = bytes(encoded)
        return bytes(encoded)


number: Final = _Numbers().__getitem__
"""Encode a number."""

_NULL: Final = number(-1)  # the length of what is not there


class Records(Protocol):
    """Records to be encoded."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Self:
        """Return some of them."""
        ...

    def encode(self, first: int, before: bytes) -> list[bytes]:
        """Encode each without its length.

        Args:
            first: offset of the first one in its batch; the others follow.
            before: what stands before the offset: attributes and timestamp.
        """
        ...


class SingleRecords(list[tuple[bytes | None, bytes | None, Sequence[Header]]]):
    """Records that have nothing in common: key, value and headers of each."""

    @overload  # type: ignore[override]
    def __getitem__(self, at: int) -> tuple[bytes | None, bytes | None, Sequence[Header]]: ...
    @overload
    def __getitem__(self, at: slice) -> "SingleRecords": ...
    def __getitem__(self, at: Any) -> Any:
        """Return one, or some of them."""
        found = super().__getitem__(at)
        return SingleRecords(found) if isinstance(at, slice) else found

    def encode(self, first: int, before: bytes) -> list[bytes]:
        """Encode each without its length."""
        return [
            b"".join((before, number(offset), _sized(key), _sized(value), number(len(headers)), _headers(headers)))
            for offset, (key, value, headers) in enumerate(self, first)
        ]


class OwnHeader(NamedTuple):
    """A header that each of many records has a value of its own for.

    Attributes:
        name: the same for all.
        column: the value of each, or a whole number that ends it.
        prefix: what each value begins with.
    """

    name: str
    column: Sequence[bytes] | Sequence[int]
    prefix: bytes = b""


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Records that share headers.

    Attributes:
        keys, values: of each record.
        own: the headers that come first.
        shared: the headers that come after those, the same for all records.
    """

    keys: Sequence[bytes | None]
    values: Sequence[bytes]
    own: Sequence[OwnHeader]
    shared: Sequence[Header]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, part: slice) -> "RecordColumns":
        """Return some of them."""
        own = [OwnHeader(name, column[part], prefix) for name, column, prefix in self.own]
        return RecordColumns(self.keys[part], self.values[part], own, self.shared)

    def encode(self, first: int, before: bytes) -> list[bytes]:
        """Encode each without its length."""
        # A text with holes, and what goes into them: a column a hole.
        text = [_escaped(before), b"%b" * 5, _escaped(number(len(self.own) + len(self.shared)))]
        columns: list[Iterable[object]] = [map(number, range(first, first + len(self.values)))]
        columns += _sizes_and(self.keys)
        columns += _sizes_and(self.values)
        for header in self.own:
            holes, filling = _own(header)
            text.append(holes)
            columns += filling
        text.append(_escaped_headers(tuple(self.shared)))
        return list(map(b"".join(text).__mod__, zip(*columns, strict=True)))


def _own(header: OwnHeader) -> tuple[bytes, Sequence[Iterable[object]]]:
    """Return a header as text with holes, and what goes into them."""
    name, column, prefix = header
    text = _escaped(_name(name))
    if isinstance(column[0], bytes):
        texts: Any = column
        return text + b"%b%b", _sizes_and([prefix + each for each in texts] if prefix else texts)
    numbers: Any = column
    lengths = [len(prefix) + len(str(each)) for each in (min(numbers), max(numbers))]
    if lengths[0] == lengths[1]:
        return text + _escaped(number(lengths[0]) + prefix) + b"%d", [numbers]
    sizes = [number(len(prefix) + len(str(each))) for each in numbers]
    return text + b"%b" + _escaped(prefix) + b"%d", [sizes, numbers]


def _sizes_and(column: Sequence[bytes | None]) -> tuple[Iterable[bytes], Sequence[bytes]]:
    """Return what stands before each, and each."""
    texts: Any = column
    try:
        sizes = list(map(len, texts))
    except TypeError:  # quicker than to look for None first
        return [_NULL if each is None else number(len(each)) for each in column], [each or b"" for each in column]
    return map(number, sizes), texts


@lru_cache(maxsize=256)  # most headers have one of a few names
def _name(name: str) -> bytes:
    return _sized(name.encode())


# A worker's replies share few headers: one set for each model that serves.
@lru_cache(maxsize=64)
def _escaped_headers(headers: tuple[Header, ...]) -> bytes:
    return _escaped(_headers(headers))


def _escaped(text: bytes) -> bytes:
    """Return text as a template holds it."""
    return text.replace(b"%", b"%%")


def _headers(headers: Sequence[Header]) -> bytes:
    return b"".join([part for name, value in headers for part in (_name(name), _sized(value))])


def _sized(part: bytes | None) -> bytes:
    return _NULL if part is None else number(len(part)) + part
