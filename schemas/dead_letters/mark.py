"""Marks on a dead-letter topic: which dead letters of their partition have been sent again. Pure.

A mark is a record without a key, behind the dead letters that it speaks of, on their own partition. So it is there as
long as they are: Kafka removes what is older first. (Offsets that a group commits are forgotten after seven idle days,
`offsets.retention.minutes`; dead letters are kept for 30.)

    header  penstock-redriven: 1
    value   {"redriven": [[12, 15], [20, 21]], "by": "anna@laptop"}     the offsets 12, 13, 14 and 20
"""

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from penstock.schemas.headers import Header
from penstock.schemas.record import Record

REDRIVEN: Final = "penstock-redriven"
_VERSION: Final = b"1"
_HEADER: Final[Header] = (REDRIVEN, _VERSION)

Runs = Sequence[tuple[int, int]]  # [start, stop)


def mark(offsets: Iterable[int], by: str) -> tuple[bytes, list[Header]]:
    """Return the value and the headers of a mark.

    Args:
        offsets: of the dead letters that are sent again.
        by: who does it.
    """
    runs: list[list[int]] = []
    for offset in sorted(set(offsets)):
        if runs and runs[-1][1] == offset:
            runs[-1][1] = offset + 1
        else:
            runs.append([offset, offset + 1])
    return orjson.dumps({"redriven": runs, "by": by}), [_HEADER]


def read_mark(record: Record) -> Runs | None:
    """Return the runs of offsets that a mark names; None where a record is no mark, or one that nobody can read."""
    if [tuple(each) for each in record.headers] != [_HEADER]:
        return None
    try:
        runs = orjson.loads(record.value or b"")["redriven"]
        return [(start, stop) for start, stop in runs if 0 <= int(start) < int(stop) <= record.offset]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
