"""Which requests there are: all that is known of one follows from its number. Pure."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from penstock.schemas import headers as h

Header = tuple[str, bytes]
_RAW: Final = (h.CONTENT_TYPE, h.RAW_TYPE.encode())
_JSON: Final = (h.CONTENT_TYPE, h.JSON_TYPE.encode())


class Outcome(IntEnum):
    """How a request may end."""

    ANY = -1
    REPLY = 0
    ERROR = 1
    DEAD = 2


@dataclass(frozen=True)
class Request:
    """What is sent."""

    number: int
    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[Header, ...]


class Special(NamedTuple):
    """What is unlike the others in a request: headers beside the usual, how it ends, and its value."""

    headers: tuple[Header, ...]
    outcome: Outcome = Outcome.REPLY
    value: bytes | None = None


@dataclass(frozen=True)
class Layout:
    """How numbers become requests.

    Attributes:
        partitions: of the request topic.
        keys: distinct ones, in turn; a key stays on its partition.
        bad: part of the requests that cannot be answered as they are, of every sort in turn.
        storm: numbers, from and below, between which all are bad.
        special: tells what is special about a request, if anything is.
    """

    partitions: int = 6
    keys: int = 240
    bad: float = 0.0
    storm: tuple[int, int] = (0, 0)
    special: Callable[[int], Special | None] = field(default=lambda _: None)

    def key_of(self, number: int) -> int:
        """Return the number of the key."""
        return number % self.keys

    def sequence_of(self, number: int) -> int:
        """Return the place of the request among those of its key."""
        return number // self.keys

    def partition_of(self, number: int) -> int:
        """Return the partition."""
        return self.key_of(number) % self.partitions

    def is_bad(self, number: int) -> bool:
        """Tell whether the request is one of the bad ones, which outside of the storm are spread evenly."""
        if self.storm[0] <= number < self.storm[1]:
            return True
        mixed = (number * 2654435761) % 2**32  # Knuth's multiplicative hash
        return mixed < self.bad * 2**32

    def outcome_of(self, number: int) -> Outcome:
        """Return how the request has to end."""
        if (special := self.special(number)) is not None:
            return special.outcome
        return _BAD[number % len(_BAD)][2] if self.is_bad(number) else Outcome.REPLY

    def request(self, number: int) -> Request:
        """Return the request."""
        value: bytes | None = struct.pack("<d", float(number))
        headers: tuple[Header, ...] = (_RAW,)
        if (special := self.special(number)) is not None:
            headers, value = (_RAW, *special.headers), special.value or value
        elif self.is_bad(number):
            headers, value, _ = _BAD[number % len(_BAD)]
        identity = (h.ID, b"%d" % number)
        return Request(number, self.partition_of(number), b"key-%d" % self.key_of(number), value, (identity, *headers))


_NAN: Final = b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[NaN]}]}'
_WRONG_TYPE: Final = b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"INT8","data":[1]}]}'
# Headers, value and outcome of what a worker cannot answer as it is.
_BAD: Final[tuple[tuple[tuple[Header, ...], bytes | None, Outcome], ...]] = (
    ((_RAW,), b"12345", Outcome.ERROR),
    ((_JSON,), b'{"inputs":[', Outcome.ERROR),
    ((_JSON,), b"\xff\xfe", Outcome.ERROR),
    ((_JSON,), _NAN, Outcome.ERROR),
    ((_JSON,), _WRONG_TYPE, Outcome.ERROR),
    ((_JSON,), None, Outcome.ERROR),
    ((_RAW, (h.MODEL, b"nobody")), b"12345678", Outcome.ERROR),
    ((_RAW, (h.SCHEMA, b"99")), b"12345678", Outcome.ERROR),
    ((_RAW, (h.REPLY_TOPIC, b"not-allowed")), b"12345678", Outcome.DEAD),
)
