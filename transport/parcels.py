"""Parcels of records: how they fill record batches, and which tokens come back."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_encoding import Records


class Parcel(NamedTuple):
    """Records to publish.

    Attributes:
        records: encoded when a record batch takes them.
        tokens: what is handed back when the fate of each is known; slices of it, whatever it is, where they share one.
        timestamp_ms: of all of them in epoch milliseconds, None for now.
    """

    records: Records
    tokens: Sequence[Any]
    timestamp_ms: int | None = None

    def split(self, count: int) -> "tuple[Parcel, Parcel]":
        """Return the first records, and the others."""
        return (
            Parcel(self.records[:count], self.tokens[:count], self.timestamp_ms),
            Parcel(self.records[count:], self.tokens[count:], self.timestamp_ms),
        )


def fill(builder: RecordBatch, waiting: deque[Parcel], most: int | None) -> list[Parcel]:
    """Move records into a record batch until it is full; it takes its first record whatever the size."""
    taken: list[Parcel] = []
    while waiting and (most is None or builder.record_count() < most):
        parcel = waiting.popleft()
        if most is not None and len(parcel.records) > most - builder.record_count():
            parcel, rest = parcel.split(most - builder.record_count())
            waiting.appendleft(rest)
        fitted = builder.extend(parcel.records, parcel.timestamp_ms)
        if fitted < len(parcel.records):
            parcel, rest = parcel.split(fitted)
            waiting.appendleft(rest)
            if fitted:
                taken.append(parcel)
            break
        taken.append(parcel)
    return taken


def count(batch: list[Parcel]) -> int:
    """Return how many records parcels hold."""
    return sum(len(parcel.records) for parcel in batch)


def joined_tokens(batch: list[Parcel]) -> Iterator[Sequence[Any]]:
    """Yield the tokens of a batch in order, lists that follow one another as one."""
    together: list[Any] = []
    for parcel in batch:
        if isinstance(parcel.tokens, list):
            together += parcel.tokens
            continue
        if together:
            yield together
            together = []
        yield parcel.tokens
    if together:
        yield together
