"""Copies of requests for a shadow, and the records that its answers become.

What is offered still belongs to the live answer, which is finished by it when Kafka acknowledges: it is read here, and
never changed. Pure but for that: no clock, no Kafka.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest, Route
from penstock.consumer.placing import routing_keys
from penstock.core.batch import Batch
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.engine import Inference
from penstock.core.model import Array, Model
from penstock.core.routing import Split
from penstock.schemas import headers as h
from penstock.schemas.errors import RequestError
from penstock.schemas.headers import Header
from penstock.transport.parcels import Parcel
from penstock.transport.record_encoding import RecordColumns, SingleRecords

_RECORD_BYTES: Final = 256  # what a record takes beside its value, about


class Offered(NamedTuple):
    """A batch that was answered, as a shadow gets to see it.

    Attributes:
        key: what its requests share.
        chunks: as they ran.
        live: what became of it.
        rows, requests: how many there are; the requests that failed before they ran are among them.
        weight: bytes that it keeps in memory, about.
    """

    key: BatchKey
    chunks: tuple[Chunk[PendingRequest], ...]
    live: Inference
    rows: int
    requests: int
    weight: int


class Copies(NamedTuple):
    """Copies of some requests of a batch.

    Attributes:
        batch: the copies, routed to the shadow's topic; without arrays.
        inputs: their rows, in arrays of their own.
        mask: which rows of the batch they are; None is all.
    """

    batch: Batch[PendingRequest]
    inputs: dict[str, Array]
    mask: NDArray[np.bool_] | None


class Answer(NamedTuple):
    """Records for one partition.

    Attributes:
        route: the shadow's topic, and the partition that the requests came from.
        records: with their headers.
        sizes: bytes of each, about.
    """

    route: Route
    records: RecordColumns | SingleRecords
    sizes: list[int]


def offered(batch: Batch[PendingRequest], live: Inference) -> Offered:
    """Return an answered batch as a shadow gets to see it; copies nothing."""
    weight, count = sum(array.nbytes for array in live.outputs.values()), 0
    for chunk in batch.chunks:
        requests = chunk.requests
        count += len(requests)
        weight += sum(array.nbytes for array in chunk.inputs.values())
        weight += requests.weight if isinstance(requests, RequestBlock) else sum(each.weight for each in requests)
    return Offered(batch.key, tuple(batch.chunks), live, batch.rows, count, weight)


def share_of(share: float) -> Split | None:
    """Return the split whose first part are the keys that a shadow gets copies of; None where it gets all.

    It is the same for all shadows: two with one share get the same keys, and a larger share has all keys of a smaller.
    """
    return None if share >= 1.0 else Split(("copied", ""), (share, 1.0 - share), salt="shadow")


def copies_of(given: Offered, split: Split | None, topic: str) -> Copies | None:
    """Copy the requests that have run, or those of them whose keys the split chooses; None where it chooses none."""
    chunks: list[Chunk[PendingRequest]] = []
    masks: list[NDArray[np.bool_]] = []
    filled = [chunk for chunk in given.chunks if chunk.rows]
    for chunk in filled:
        counts = _counts(chunk.requests)
        chosen = counts > 0
        if split is not None:
            chosen &= split.choose(routing_keys(chunk.requests)) == 0
        masks.append(np.repeat(chosen, counts))
        if chosen.any():
            rows = counts[chosen].tolist()
            copied = _copied(chunk.requests, np.flatnonzero(chosen).tolist(), topic)
            uniform = rows.count(1) == len(rows)
            chunks.append(Chunk(given.key, copied, {}, sum(rows), chunk.arrived, uniform=uniform))
    if not chunks:
        return None
    mask = np.concatenate(masks)
    taken = None if mask.all() or not given.key.batched else mask
    batch = Batch(given.key, chunks, sum(chunk.rows for chunk in chunks))
    return Copies(batch, _stacked(filled, taken, batched=given.key.batched), taken)


def provenance(model: Model, live: Inference) -> tuple[Header, Header]:
    """Return the headers that say which version answers, and which one answered the request."""
    answered = "" if live.model is None else f"{live.model.name}@{live.model.version}"
    return (h.MODEL, f"{model.name}@{model.version}".encode()), (h.LIVE, answered.encode())


def answer_of(route: Route, parcel: Parcel, ran: Header, live: Header) -> Answer:
    """Add to a parcel of replies what a shadow says besides, errors too; and let go of the requests in it.

    Args:
        route: where they go.
        parcel: as the reply builder makes it.
        ran: which version answers, as `provenance` returns it.
        live: which one answered the request.
    """
    records = parcel.records
    if isinstance(records, RecordColumns):
        return Answer(route, replace(records, shared=(*records.shared, live)), _sizes(records.values))
    assert isinstance(records, SingleRecords)
    stamped = SingleRecords()
    for key, value, headers in records:
        more = [live] if any(name == h.MODEL for name, _ in headers) else [ran, live]
        stamped.append((key, value, [*headers, *more]))
    return Answer(route, stamped, _sizes([value or b"" for _, value, _ in records]))


def give_up(batch: Batch[PendingRequest], error: RequestError) -> None:
    """Fail every copy."""
    for chunk in batch.chunks:
        for request in chunk.itemised():
            request.fail(error)


def _sizes(values: Sequence[bytes]) -> list[int]:
    return [len(value) + _RECORD_BYTES for value in values]


def _counts(requests: Sequence[PendingRequest]) -> NDArray[np.intp]:
    """Return the rows of each request; 0 of one that failed before it ran."""
    if isinstance(requests, RequestBlock):
        return np.ones(len(requests), np.intp) if requests.rows is None else np.array(requests.rows, np.intp)
    return np.array([request.rows for request in requests], np.intp)


def _copied(requests: Sequence[PendingRequest], places: list[int], topic: str) -> Sequence[PendingRequest]:
    """Copy the requests at the places. The partition in their route is the one they came from."""
    if isinstance(requests, RequestBlock):
        block = requests[:] if len(places) == len(requests) else requests.pick(places)
        block.route, block.routes = (topic, block.progress.place.partition), None
        return block
    return [_copy(requests[place], topic) for place in places]


def _copy(request: PendingRequest, topic: str) -> PendingRequest:
    route = topic, request.progress.place.partition
    made = PendingRequest(request.progress, request.record, request.envelope, route)
    made.echo, made.id, made.outputs = request.echo, request.id, request.outputs
    made.rows = made.held_rows = request.rows
    return made


def _stacked(chunks: list[Chunk[PendingRequest]], mask: NDArray[np.bool_] | None, *, batched: bool) -> dict[str, Array]:
    # Always copies: a function may write to what it is given, and another shadow gets the same rows.
    if not batched:
        return {name: array.copy() for name, array in chunks[0].inputs.items()}
    whole = {name: np.concatenate([chunk.inputs[name] for chunk in chunks]) for name in chunks[0].inputs}
    return whole if mask is None else {name: array[mask] for name, array in whole.items()}
