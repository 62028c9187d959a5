"""A batch: chunks of one key, about to run as one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from penstock.core.chunk import BatchKey, Chunk, R
from penstock.core.model import Array
from penstock.schemas.errors import RequestError


@dataclass(slots=True)
class Batch(Generic[R]):
    """Chunks of one key, about to run as one.

    Attributes:
        key: what they share.
        chunks: in order, at least one.
        rows: rows of all of them; 0 when every request has failed already.
        version: the version that runs it, where the key leaves it open and there are several; else None.
    """

    key: BatchKey
    chunks: list[Chunk[R]]
    rows: int
    version: str | None = None

    @property
    def requests(self) -> list[R]:
        """All requests in order, each as an object of its own."""
        if len(self.chunks) == 1:
            return self.chunks[0].itemised()
        return list(chain.from_iterable(chunk.itemised() for chunk in self.chunks))

    @property
    def uniform(self) -> bool:
        """Whether every request has one row and none has failed."""
        return all(chunk.uniform for chunk in self.chunks)

    @property
    def arrived(self) -> float:
        """When its oldest request came, monotonic seconds."""
        return self.chunks[0].arrived

    def stack(self) -> dict[str, Array]:
        """Return the inputs of the whole batch, copied only when there are several chunks."""
        filled = [chunk.inputs for chunk in self.chunks if chunk.rows]
        if len(filled) <= 1:
            return filled[0] if filled else {}
        return {name: np.concatenate([inputs[name] for inputs in filled]) for name in filled[0]}

    def divided(self, choice: NDArray[np.intp], versions: Sequence[str]) -> "list[Batch[R]]":
        """Divide it among versions; the order of the requests of each part is that of the batch.

        Args:
            choice: place in `versions` of each request's version, shape [requests].
            versions: the versions.
        """
        chosen = np.unique(choice).tolist()
        if len(chosen) == 1 or not self.key.batched:
            return [Batch(self.key, self.chunks, self.rows, versions[choice[0]])]
        ends = np.cumsum([len(chunk.requests) for chunk in self.chunks])
        parts: list[Batch[R]] = []
        for version in chosen:
            chunks: list[Chunk[R]] = []
            for chunk, end in zip(self.chunks, ends.tolist(), strict=True):
                places = np.flatnonzero(choice[end - len(chunk.requests) : end] == version).tolist()
                if places:
                    chunks.append(chunk if len(places) == len(chunk.requests) else chunk.pick(places))
            parts.append(Batch(self.key, chunks, sum(chunk.rows for chunk in chunks), versions[version]))
        return parts

    def expire(self, now: float) -> None:
        """Fail the requests whose deadline has passed and take their rows out."""
        for chunk in self.chunks:
            chunk.expire(now)
        self.rows = sum(chunk.rows for chunk in self.chunks)

    def fail(self, error: RequestError) -> None:
        """Fail all its requests before it has run."""
        for chunk in self.chunks:
            chunk.drop([False] * len(chunk.requests), lambda: error)
        self.rows = 0

    def apart(self, places: Collection[int]) -> "list[tuple[int | None, Batch[R]]]":
        """Cut it so that each request at one of the places is a batch of its own.

        Args:
            places: of requests in the batch, in any order.

        Returns:
            The parts in order, each with the place of its only request, or None where it holds others.
        """
        parts: list[tuple[int | None, list[Chunk[R]]]] = []
        others: list[Chunk[R]] = []
        start = 0
        for chunk in self.chunks:
            stop = start + len(chunk.requests)
            rest = chunk
            for place in sorted(place for place in places if start <= place < stop):
                before, rest = rest.cut(len(rest.requests) - (stop - place))
                alone, rest = rest.cut(1)
                parts += [(None, [*others, before]), (place, [alone])]
                others = []
            others.append(rest)
            start = stop
        kept = [(place, [each for each in chunks if each.requests]) for place, chunks in (*parts, (None, others))]
        return [
            (place, Batch(self.key, chunks, sum(chunk.rows for chunk in chunks), self.version))
            for place, chunks in kept
            if chunks
        ]

    def halves(self, now: float) -> "list[Batch[R]]":
        """Cut a batch that failed in two, to find the request that makes it fail; needs two requests.

        Args:
            now: monotonic seconds; what has expired meanwhile does not run again.
        """
        halves = self.merged().halve()
        for half in halves:
            half.expire(now)
        return [Batch(self.key, [half], half.rows, self.version) for half in halves]

    def merged(self) -> Chunk[R]:
        """Return the batch as one chunk."""
        if len(self.chunks) == 1:
            return self.chunks[0]
        deadlines = [chunk.deadline for chunk in self.chunks if chunk.deadline is not None]
        deadline = min(deadlines, default=None)
        return Chunk(self.key, self.requests, self.stack(), self.rows, self.arrived, deadline, self.uniform)
