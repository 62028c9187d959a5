"""Records of Kafka as columns: the requests in the log, and the outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np

from penstock.schemas import headers as h
from tests.chaos.requests import Outcome

Whole = np.ndarray[Any, np.dtype[np.int64]]
Numbers = np.ndarray[Any, np.dtype[np.float64]]
NONE: Final = -1


class Seen(NamedTuple):
    """An outcome as it was read.

    Attributes:
        kind: which of the three.
        place: its own partition and offset.
        number: of the request, by its id; -1 where it has none.
        source: partition and offset of the request that it says it answers.
        key: of the record; -1 where it has none.
        version: that answered; 0 for an error and a dead letter.
        y: what it says; NaN without.
        code: of an error, or the reason of a dead letter.
        at_ms: the record's timestamp.
    """

    kind: Outcome
    place: tuple[int, int]
    number: int
    source: tuple[int, int]
    key: int
    version: int
    y: float
    code: str
    at_ms: int


@dataclass(frozen=True)
class Log:
    """The request topic as it is, each array [requests], in the order of reading."""

    number: Whole
    partition: Whole
    offset: Whole

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]]) -> Self:
        """Make columns of (number, partition, offset)."""
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return cls(table[:, 0], table[:, 1], table[:, 2])

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Outcomes:
    """Outcomes, each array [outcomes], within a partition in the order of the log."""

    kind: Whole
    partition: Whole
    offset: Whole
    number: Whole
    source_partition: Whole
    source_offset: Whole
    key: Whole
    version: Whole
    y: Numbers
    code: tuple[str, ...]

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> Self:
        """Make columns, ordered by place."""
        rows = sorted(seen, key=lambda each: (each.kind == Outcome.DEAD, *each.place))
        flat = [(int(s.kind), *s.place, s.number, *s.source, s.key, s.version) for s in rows]
        table = np.array(flat, dtype=np.int64).reshape(-1, 8)
        y = np.array([each.y for each in rows], dtype=np.float64)
        kind, partition, offset, number, source_partition, source_offset, key, version = table.T
        return cls(
            kind=kind,
            partition=partition,
            offset=offset,
            number=number,
            source_partition=source_partition,
            source_offset=source_offset,
            key=key,
            version=version,
            y=y,
            code=tuple(each.code for each in rows),
        )

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def places(self) -> set[tuple[bool, int, int]]:
        """Where they lie: whether on the dead-letter topic, partition, offset."""
        dead = (self.kind == Outcome.DEAD).tolist()
        return set(zip(dead, self.partition.tolist(), self.offset.tolist(), strict=True))


def number_of(message: Any) -> int:
    """Return the number of a request's record."""
    return int(dict(message.headers() or ()).get(h.ID, NONE))


def seen_of(message: Any) -> Seen:
    """Read an outcome's record."""
    said, value = dict(message.headers() or ()), message.value() or b""
    kind = Outcome.DEAD if h.REASON in said else Outcome.ERROR if h.ERROR in said else Outcome.REPLY
    _, partition, offset = (said.get(h.SOURCE) or b"?/-1/-1").rsplit(b"/", 2)
    key = message.key()
    right = kind == Outcome.REPLY and len(value) == 8
    return Seen(
        kind=kind,
        place=(message.partition(), message.offset()),
        number=int(said.get(h.ID, NONE)),
        source=(int(partition), int(offset)),
        key=int(key.rpartition(b"-")[2]) if key else NONE,
        version=int(said[h.MODEL].rpartition(b"@")[2]) if kind == Outcome.REPLY else 0,
        y=float(np.frombuffer(value, "<f8")[0]) if right else float("nan"),
        code=(said.get(h.REASON) or said.get(h.ERROR) or b"").decode(),
        at_ms=message.timestamp()[1],
    )
