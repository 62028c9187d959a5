"""One request on its way through the worker."""

from collections.abc import Sequence

from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import RequestError
from penstock.schemas.oip import Wanted
from penstock.schemas.record import Record

Route = tuple[str, int]  # reply topic and partition


class PendingRequest:
    """A request from the moment it is fetched until its outcome is acknowledged.

    Attributes:
        progress: of the partition it came from, where its end is reported.
        record: as it was fetched.
        envelope: its headers.
        echo: the correlation headers, as the reply repeats them.
        route: where the answer goes; None when it cannot be answered and becomes a dead letter.
        id: the JSON text of the body's id, quotes included; None when it has none.
        rows: rows it takes in a batch; 0 when it has failed.
        outputs: names of the outputs wanted; None is all.
        deadline: monotonic seconds after which nobody waits, or None.
        error: why it failed.
        burials: how often a dead letter has been written for it; more than once when Kafka refused the first.
        weight, held_rows: bytes and rows it counts for in back-pressure, whatever becomes of it.
    """

    __slots__ = (
        "burials",
        "deadline",
        "echo",
        "envelope",
        "error",
        "held_rows",
        "id",
        "outputs",
        "progress",
        "record",
        "route",
        "rows",
        "weight",
    )

    def __init__(self, progress: PartitionProgress, record: Record, envelope: Envelope, route: Route | None) -> None:
        self.progress = progress
        self.record = record
        self.envelope = envelope
        self.echo = envelope.echo
        self.route = route
        self.id: bytes | None = None
        self.rows = 1
        self.outputs: Wanted = None
        self.deadline: float | None = None
        self.error: RequestError | None = None
        self.weight = 0
        self.held_rows = 1
        self.burials = 0

    def __repr__(self) -> str:
        place = self.progress.place
        return f"<PendingRequest {place.topic}/{place.partition}/{self.record.offset} {self.error or 'good'}>"

    def fail(self, error: RequestError) -> None:
        """Give up on the request; its error becomes the answer."""
        self.error = error
        self.rows = 0


def finish(requests: Sequence[PendingRequest]) -> tuple[int, int]:
    """Report requests as finished to their partitions, in runs.

    Returns:
        Their rows and bytes, for back-pressure.
    """
    weight = rows = 0
    progress: PartitionProgress | None = None
    start = stop = 0
    for request in requests:
        offset = request.record.offset
        weight += request.weight
        rows += request.held_rows
        if offset == stop and request.progress is progress:
            stop += 1
            continue
        if progress is not None:
            progress.finish(start, stop)
        progress, start, stop = request.progress, offset, offset + 1
    if progress is not None:
        progress.finish(start, stop)
    return rows, weight
