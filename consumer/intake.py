"""Intake: fetched records become chunks for the batcher, a whole fetch at a time.

    records -> envelope -> reply route -> model -> rows

Nothing here raises for what a record holds. A request that cannot be served keeps its place with an error, which
becomes its reply; one that cannot even be answered is handed back to become a dead letter.
"""

import time
from collections.abc import Iterator, Sequence

from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress, Record
from penstock.consumer.routes import ReplyRouter
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.decoder import STEP, Decoded, DecodedStep, RequestDecoder
from penstock.core.model import Model
from penstock.core.model_table import ModelTable
from penstock.schemas.envelope import BARE, read_envelope
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits

_WEIGHT = 512  # bytes that a request takes in memory beside its value: objects, headers, decoded row
_DAY_MS = 86_400_000
_Target = tuple[str | None, str | None, bool]  # model, version, raw
_USUAL: _Target = (None, None, False)

RequestChunk = Chunk[PendingRequest]
Part = tuple[PartitionProgress, Sequence[Record]]  # records of one partition


class Intake:
    """Makes chunks of records.

    Args:
        models: what is loaded.
        router: where answers may go.
        limits: bounds on a request.
    """

    def __init__(self, models: ModelTable, router: ReplyRouter, limits: Limits) -> None:
        self._models = models
        self._router = router
        self._limits = limits
        self._decoders: dict[int, tuple[Model, RequestDecoder]] = {}

    def take(self, parts: Sequence[Part]) -> tuple[list[RequestChunk], list[PendingRequest]]:
        """Take in up to `STEP` records, of any partitions.

        Returns:
            Chunks, in order per model; and the requests that cannot be answered, their `error` saying why.
        """
        now = time.monotonic()
        runs: list[tuple[_Target, list[PendingRequest]]] = []
        growing: dict[_Target, list[PendingRequest]] = {}
        failed: list[PendingRequest] = []
        unanswerable: list[PendingRequest] = []
        for progress, records in parts:
            usual_route = self._router.default_route(progress.place.partition)
            for record in records:
                envelope = read_envelope(record.headers, self._limits) if record.headers else BARE
                request = PendingRequest(progress, record, envelope, usual_route)
                request.weight = _WEIGHT + record.serialized_value_size + record.serialized_key_size
                target = _USUAL
                if envelope is not BARE or usual_route is None:
                    self._read_headers(request, now)
                    if request.route is None or request.error is not None:
                        (unanswerable if request.route is None else failed).append(request)
                        continue
                    target = (envelope.model, envelope.version, envelope.raw)
                if target not in growing:
                    runs.append((target, self._begin(target, growing)))
                growing[target].append(request)
        # What failed already has no model: names from outside are no metric labels.
        chunks = [Chunk(BatchKey(""), failed, {}, 0, now)] if failed else []
        for target, requests in runs:
            chunks += self._chunks_for(target, requests, now)
        return chunks, unanswerable

    def _begin(self, target: _Target, growing: dict[_Target, list[PendingRequest]]) -> list[PendingRequest]:
        """Begin a run of requests for one target; it ends the model's other runs, so that its order holds."""
        name = target[0] or self._models.default
        for other in [other for other in growing if (other[0] or self._models.default) == name]:
            del growing[other]
        run = growing[target] = []
        return run

    def _read_headers(self, request: PendingRequest, now: float) -> None:
        """Find the request's way back and its deadline, and fail it when its headers are wrong."""
        envelope, partition = request.envelope, request.progress.place.partition
        if envelope.error is not None:
            request.fail(envelope.error)
        if envelope.timeout_s is not None:
            request.deadline = _deadline(request.record, envelope.timeout_s, now)
        try:
            request.route = self._router.route(envelope, partition)
        except RequestError as error:
            request.fail(error)
            request.route = self._router.default_route(partition) if error.code is ErrorCode.BAD_VALUE else None

    def _chunks_for(self, target: _Target, requests: list[PendingRequest], now: float) -> list[RequestChunk]:
        name, version, raw = target
        try:
            model = self._models.resolve(name, version)
        except RequestError as error:
            for request in requests:
                request.fail(error)
            return [Chunk(BatchKey(""), requests, {}, 0, now)]
        decoder = self._decoder(model)
        values = [request.record.value for request in requests]
        if raw:
            step = DecodedStep()
            step.odd = {place: decoder.decode_raw(value) for place, value in enumerate(values)}
        else:
            step = decoder.decode(values)
        return _assemble(model, version, requests, step, now)

    def _decoder(self, model: Model) -> RequestDecoder:
        known = self._decoders.get(id(model))
        if known is None or known[0] is not model:
            known = (model, RequestDecoder(model.signature, self._limits))
            self._decoders = {
                id(each): self._decoders[id(each)] for each in self._models.loaded() if id(each) in self._decoders
            }
            self._decoders[id(model)] = known
        return known[1]


def steps(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Cut a fetch into steps of up to `STEP` records, small enough not to hold up the event loop."""
    step: list[Part] = []
    room = STEP
    for progress, records in parts:
        left = records
        while left:
            step.append((progress, left[:room]))
            room -= min(room, len(left))
            left = left[len(step[-1][1]) :]
            if not room:
                yield step
                step, room = [], STEP
    if step:
        yield step


def _assemble(
    model: Model, version: str | None, requests: list[PendingRequest], step: DecodedStep, now: float
) -> list[RequestChunk]:
    """Join requests with their rows: the block's in one chunk as far as nothing lies between them."""
    builder = _ChunkBuilder(model, version, step, now)
    if not step.odd:
        for request, request_id in zip(requests, step.ids, strict=True):
            request.id = request_id
        builder.common(requests)
        return builder.done()
    run: list[PendingRequest] = []
    for place, request in enumerate(requests):
        odd = step.odd.get(place)
        if odd is None:
            request.id = step.ids[place]
            run.append(request)
        elif odd.error is not None:
            request.id = odd.id
            request.fail(odd.error)
            run.append(request)
        else:
            builder.common(run)
            run = []
            builder.alone(request, odd)
    builder.common(run)
    return builder.done()


class _ChunkBuilder:
    """Collects the chunks of one model."""

    def __init__(self, model: Model, version: str | None, step: DecodedStep, now: float) -> None:
        signature = model.signature
        self._key = BatchKey(model.name, version, (), signature.max_rows, signature.batched)
        self._signature = signature
        self._block = step.block
        self._used = 0  # rows of the block handed out
        self._now = now
        self._chunks: list[RequestChunk] = []

    def common(self, requests: list[PendingRequest]) -> None:
        """Add requests whose rows are the next ones of the block, failed ones among them."""
        if not requests:
            return
        rows = sum(request.rows for request in requests)
        inputs = {}
        if rows and self._block is not None:
            inputs = {self._signature.inputs[0].name: self._block[self._used : self._used + rows]}
        self._used += rows
        key = self._key._replace(family=(self._signature.inputs[0].shape,)) if rows else self._key
        self._add(Chunk(key, requests, inputs, rows, self._now, uniform=rows == len(requests)))

    def alone(self, request: PendingRequest, odd: Decoded) -> None:
        """Add a request that has arrays of its own."""
        bound = odd.bound
        if bound is None:
            return
        request.id, request.rows, request.outputs = odd.id, bound.rows, bound.outputs
        family = tuple(array.shape[1:] for array in bound.inputs.values()) if self._key.batched else ()
        key = self._key._replace(family=family)
        self._add(Chunk(key, [request], bound.inputs, bound.rows, self._now, uniform=bound.rows == 1))

    def done(self) -> list[RequestChunk]:
        return self._chunks

    def _add(self, chunk: RequestChunk) -> None:
        deadlines = [request.deadline for request in chunk.requests if request.deadline is not None]
        chunk.deadline = min(deadlines, default=None)
        self._chunks.append(chunk)


def _deadline(record: Record, timeout_s: float, now: float) -> float:
    """Turn a timeout, which counts from the record's timestamp, into monotonic seconds."""
    wall_ms = time.time() * 1000
    sent_ms = float(record.timestamp)
    # A timestamp from before the epoch or from tomorrow is nobody's clock: arrival counts instead.
    if not 0 < sent_ms < wall_ms + _DAY_MS:
        sent_ms = wall_ms
    return now + timeout_s - (wall_ms - sent_ms) / 1000.0
