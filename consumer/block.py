"""Requests of one partition that are alike, kept as columns.

Most requests are plain: they were read without a fault, and ask the same model in the same way as their neighbours.
A block holds many of them in a handful of lists, so that no object is made for each on its way from fetch to commit.
Whoever needs to treat one apart (it failed, expired, was refused) takes it out as a `PendingRequest`.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, overload

from penstock.consumer.pending import PendingRequest, Route
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import Envelope
from penstock.schemas.oip import Wanted
from penstock.schemas.record import Record


class RequestBlock(Sequence[PendingRequest]):
    """Requests without a fault, in the order of their offsets.

    The lists have one entry a request. Where the requests do not differ there is None in place of the list.

    Attributes:
        progress: of the partition they came from.
        records: as they were fetched.
        keys: the records' keys.
        envelope: what their headers say, but for the correlation.
        echo_name: the name of their correlation header.
        echoes: the value of the correlation header of each; None where no request has one.
        route: where the answers go.
        routes: where each answer goes; None where all go to `route`.
        ids: the JSON text of each body's id, None where it has none; None before decoding and for raw tensors.
        deadlines: monotonic seconds after which nobody waits for each; None where all wait for ever.
        rows: rows of each; None where each has one.
        outputs: names of the outputs that each wants; None where all want all.
        weight: bytes that all of them count for in back-pressure.
    """

    __slots__ = (
        "deadlines",
        "echo_name",
        "echoes",
        "envelope",
        "ids",
        "keys",
        "outputs",
        "progress",
        "records",
        "route",
        "routes",
        "rows",
        "weight",
    )

    def __init__(
        self,
        progress: PartitionProgress,
        envelope: Envelope,
        route: Route,
        records: list[Record],
        keys: list[bytes | None],
        *,
        weight: int,
    ) -> None:
        self.progress = progress
        self.envelope = envelope
        self.route = route
        self.records = records
        self.keys = keys
        self.weight = weight
        self.routes: list[Route] | None = None
        self.echo_name = ""
        self.echoes: list[bytes] | None = None
        self.ids: list[bytes | None] | None = None
        self.deadlines: list[float | None] | None = None
        self.rows: list[int] | None = None
        self.outputs: list[Wanted] | None = None

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        place = self.progress.place
        return f"<RequestBlock {place.topic}/{place.partition} {len(self)} requests>"

    @overload
    def __getitem__(self, at: int) -> PendingRequest: ...
    @overload
    def __getitem__(self, at: slice) -> "RequestBlock": ...
    def __getitem__(self, at: int | slice) -> "PendingRequest | RequestBlock":
        """Return one request as an object of its own, or a part of the block."""
        if isinstance(at, int):
            if not 0 <= at < len(self):
                raise IndexError(at)
            return self._alone(at)
        start, stop, _ = at.indices(len(self))
        return self._part(itemgetter(at), self._weight(start, stop))

    def __iter__(self) -> Iterator[PendingRequest]:
        return map(self._alone, range(len(self)))

    def pick(self, places: Sequence[int]) -> "RequestBlock":
        """Return a block of the requests at the places, which ascend."""
        weight = sum(self._weight(place, place + 1) for place in places)
        return self._part(lambda column: [column[place] for place in places], weight)

    def _part(self, cut: Callable[[list[Any]], list[Any]], weight: int) -> "RequestBlock":
        """Return a block of what `cut` takes of each column."""
        part = RequestBlock(self.progress, self.envelope, self.route, cut(self.records), cut(self.keys), weight=weight)
        part.routes = self.routes and cut(self.routes)
        part.echo_name = self.echo_name
        part.echoes = self.echoes and cut(self.echoes)
        part.ids = self.ids and cut(self.ids)
        part.deadlines = self.deadlines and cut(self.deadlines)
        part.rows = self.rows and cut(self.rows)
        part.outputs = self.outputs and cut(self.outputs)
        return part

    @property
    def held_rows(self) -> int:
        """Rows that all of them count for in back-pressure."""
        return len(self.records) if self.rows is None else sum(self.rows)

    def extend(self, others: "RequestBlock") -> bool:
        """Take in the block that follows before either is decoded; False where that is not possible."""
        if others.progress is not self.progress or others.echo_name != self.echo_name:
            return False
        if self.routes is not None or others.route != self.route:
            self.routes = self.routes or [self.route] * len(self)
            self.routes += [others.route] * len(others)
        if self.deadlines is not None or others.deadlines is not None:
            self.deadlines = self.deadlines or [None] * len(self)
            self.deadlines += others.deadlines or [None] * len(others)
        if self.echoes is not None and others.echoes is not None:
            self.echoes += others.echoes
        self.records += others.records
        self.keys += others.keys
        self.weight += others.weight
        return True

    def finish(self) -> None:
        """Report the requests as finished to their partition, in runs."""
        records, finish = self.records, self.progress.finish
        start, last = records[0].offset, records[-1].offset
        if last - start + 1 == len(records):
            finish(start, last + 1)
            return
        stop = start
        for record in records:
            if record.offset != stop:
                finish(start, stop)
                start = record.offset
            stop = record.offset + 1
        finish(start, stop)

    def _weight(self, start: int, stop: int) -> int:
        """Return the share of a part; the shares of all parts add up to the whole exactly."""
        count = len(self.records)
        return self.weight * stop // count - self.weight * start // count if count else 0

    def _alone(self, at: int) -> PendingRequest:
        route = self.route if self.routes is None else self.routes[at]
        request = PendingRequest(self.progress, self.records[at], self.envelope, route)
        if self.echoes is not None:
            request.echo = ((self.echo_name, self.echoes[at]),)
        request.id = None if self.ids is None else self.ids[at]
        request.deadline = None if self.deadlines is None else self.deadlines[at]
        request.rows = request.held_rows = 1 if self.rows is None else self.rows[at]
        request.outputs = None if self.outputs is None else self.outputs[at]
        request.weight = self._weight(at, at + 1)
        return request
