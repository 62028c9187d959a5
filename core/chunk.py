"""Requests that may run together.

A fetch becomes chunks, not single requests: the rows of a chunk lie in one array, so that moving it, splitting
it and stacking it costs the same for one request as for five hundred.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from penstock.core.model import Array, Signature
from penstock.schemas.errors import ErrorCode, RequestError


class Rows(Protocol):
    """What the batcher needs to know of a request.

    Attributes:
        rows: how many rows of the chunk's arrays are its own; 0 when it has failed.
        deadline: the monotonic time after which nobody waits for the answer, or None.
    """

    rows: int
    deadline: float | None

    def fail(self, error: RequestError) -> None:
        """Give up on the request; afterwards `rows` is 0."""
        ...


R = TypeVar("R", bound=Rows)
R_co = TypeVar("R_co", bound=Rows, covariant=True)


@runtime_checkable
class Columns(Protocol[R_co]):
    """Requests that are kept as columns, and of which some can be taken without making objects."""

    def pick(self, places: Sequence[int]) -> Sequence[R_co]:
        """Return those at the places, which ascend."""
        ...


class BatchKey(NamedTuple):
    """What must be equal for requests to run in one batch.

    Attributes:
        model: the model's name; empty for requests that failed before they had one.
        version: the version asked for; None is whichever serves when the batch runs.
        family: the shapes of one row of each input where the signature leaves them free.
        max_rows: the model's own bound on a batch; None is no bound.
        batched: False for a model that takes one request at a time.
        signature: by which the rows were read; None for requests that failed before there was one.
    """

    model: str
    version: str | None = None
    family: tuple[tuple[int, ...], ...] = ()
    max_rows: int | None = None
    batched: bool = True
    signature: Signature | None = None


@dataclass(slots=True)
class Chunk(Generic[R]):
    """Requests of one key, in the order they came, failed ones among them.

    Attributes:
        key: what they share.
        requests: in order; the failed ones keep their place, so that replies keep the order of a key. It may be a
            sequence that makes an object of a request only when somebody asks for one.
        inputs: name -> array; the rows of the requests that have not failed, one after another.
        rows: rows in `inputs`.
        arrived: when the chunk was made, monotonic seconds.
        deadline: the earliest deadline in it, or None.
        uniform: every request has exactly one row, none has failed.
        counts: rows of each request where `requests` had to make objects to tell; else None.
    """

    key: BatchKey
    requests: Sequence[R]
    inputs: dict[str, Array]
    rows: int
    arrived: float
    deadline: float | None = None
    uniform: bool = False
    counts: list[int] | None = None

    def itemised(self) -> list[R]:
        """Return the requests as objects that may be changed one by one; from now on the chunk holds those."""
        if not isinstance(self.requests, list):
            self.requests = list(self.requests)
        return self.requests

    def split(self, rows: int) -> "tuple[Chunk[R], Chunk[R]]":
        """Cut in two between requests: the first part has at most `rows` rows, and at least one request."""
        if self.uniform:
            count = min(rows, self.rows)
            return self._cut(count, count)
        return self._cut(*self._count_within(rows))

    def halve(self) -> "tuple[Chunk[R], Chunk[R]]":
        """Cut in two in the middle, to find the request that makes a batch fail; needs two requests."""
        return self.cut(len(self.requests) // 2)

    def cut(self, count: int) -> "tuple[Chunk[R], Chunk[R]]":
        """Cut in two: the first part has so many requests."""
        return self._cut(count, count if self.uniform else sum(self._counts()[:count]))

    def _cut(self, count: int, rows: int) -> "tuple[Chunk[R], Chunk[R]]":
        head = Chunk(self.key, self.requests[:count], self._slice(0, rows), rows, self.arrived)
        tail = Chunk(self.key, self.requests[count:], self._slice(rows, self.rows), self.rows - rows, self.arrived)
        for part in (head, tail):
            part.deadline, part.uniform = self.deadline, self.uniform
        if self.counts is not None:
            head.counts, tail.counts = self.counts[:count], self.counts[count:]
        return head, tail

    def pick(self, places: Sequence[int]) -> "Chunk[R]":
        """Return a chunk of the requests at the places, which ascend, and of their rows."""
        requests = self.requests
        picked = requests.pick(places) if isinstance(requests, Columns) else [requests[place] for place in places]
        wanted = np.zeros(len(requests), dtype=bool)
        wanted[places] = True
        mask = wanted if self.uniform else np.repeat(wanted, self._counts())
        inputs = {name: array[mask] for name, array in self.inputs.items()}
        part = Chunk(self.key, picked, inputs, int(mask.sum()), self.arrived, self.deadline, self.uniform)
        if self.counts is not None:
            part.counts = [self.counts[place] for place in places]
        return part

    def _counts(self) -> list[int]:
        return [request.rows for request in self.itemised()] if self.counts is None else self.counts

    def _count_within(self, rows: int) -> tuple[int, int]:
        count = taken = 0
        for each in self._counts():
            if count and taken + each > rows:
                break
            count += 1
            taken += each
        return count, taken

    def _slice(self, start: int, stop: int) -> dict[str, Array]:
        if not self.key.batched:
            return self.inputs if start < stop else {}
        return {name: array[start:stop] for name, array in self.inputs.items()}

    def expire(self, now: float) -> None:
        """Fail the requests whose deadline has passed and take their rows out."""
        if self.deadline is None or now < self.deadline:
            return
        keep = [request.deadline is None or now < request.deadline for request in self.itemised()]
        self.drop(keep, lambda: RequestError(ErrorCode.EXPIRED, "the deadline passed before the model ran"))
        deadlines = [each.deadline for each in self.itemised() if each.rows and each.deadline is not None]
        self.deadline = min(deadlines, default=None)

    def drop(self, keep: list[bool], error: "Callable[[], RequestError]") -> None:
        """Fail the requests not to be kept and take their rows out."""
        requests, self.counts = self.itemised(), None
        mask = np.repeat(keep, [request.rows for request in requests])
        if self.key.batched:
            self.inputs = {name: array[mask] for name, array in self.inputs.items()}
        elif not mask.all():
            self.inputs = {}
        for request, kept in zip(requests, keep, strict=True):
            if not kept and request.rows:
                request.fail(error())
                self.uniform = False
        self.rows = int(mask.sum())
