"""Intake: fetched records become chunks for the batcher, a whole fetch at a time.

    records -> spans (headers) -> reply route -> model -> rows (`assembly.py`)

Nothing here raises for what a record holds. A request that cannot be served keeps its place with an error, which
becomes its reply; one that cannot even be answered is handed back to become a dead letter.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from penstock.consumer.assembly import RequestChunk, assemble
from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest, Route
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.routes import ReplyRouter
from penstock.consumer.spans import Span, SpanReader
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.decoding.decoder import RequestDecoder
from penstock.core.model import Model
from penstock.core.model_table import ModelTable
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError, without_frames
from penstock.schemas.limits import Limits
from penstock.schemas.record import Record

_WEIGHT: Final = 512  # bytes that a request takes in memory beside key and value: objects, headers, decoded row
_DAY_MS: Final = 86_400_000


class _Target(NamedTuple):
    """What requests must share to be decoded and answered together."""

    model: str | None
    version: str | None
    raw: bool
    output: str | None


class _Run(NamedTuple):
    """Requests for one target, in order: blocks of plain ones, and lists of others."""

    target: _Target
    parts: list[RequestBlock | list[PendingRequest]]


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
        self._reader = SpanReader(limits)
        self._decoders: dict[int, tuple[Model, RequestDecoder]] = {}

    def read(self, progress: PartitionProgress, records: Sequence[Record]) -> list[Span]:
        """Read the headers of records of one partition."""
        return self._reader.read(progress, records)

    def take(self, spans: Sequence[Span]) -> tuple[list[RequestChunk], list[PendingRequest]]:
        """Take in a step: the records of some spans, of any partitions.

        Returns:
            Chunks, in order per model; and the requests that cannot be answered, their `error` saying why.
        """
        now = time.monotonic()
        runs: list[_Run] = []
        growing: dict[_Target, _Run] = {}
        failed: list[PendingRequest] = []
        unanswerable: list[PendingRequest] = []
        for span in spans:
            envelope = span.envelope
            route = self._route(envelope, span.progress.place.partition)
            if isinstance(route, RequestError) or envelope.error is not None:
                self._give_up(span, route, now, failed, unanswerable)
                continue
            target = _Target(envelope.model, envelope.version, envelope.raw, envelope.output)
            if target not in growing:
                runs.append(self._begin(target, growing))
            parts = growing[target].parts
            block = _block_of(span, route, now)
            if envelope.echo:  # several correlation headers
                parts.append(list(block))
            elif not (parts and isinstance(parts[-1], RequestBlock) and parts[-1].extend(block)):
                parts.append(block)
        # What failed already has no model: names from outside are no metric labels.
        chunks = [Chunk(BatchKey(""), failed, {}, 0, now)] if failed else []
        for run in runs:
            chunks += self._chunks_for(run, now)
        return chunks, unanswerable

    def refuse(self, spans: Iterable[tuple[Span, RequestError]]) -> tuple[list[RequestChunk], list[PendingRequest]]:
        """Fail the requests of spans without reading their bodies.

        Returns:
            As `take`.
        """
        now = time.monotonic()
        failed: list[PendingRequest] = []
        unanswerable: list[PendingRequest] = []
        for span, error in spans:
            route = self._route(span.envelope, span.progress.place.partition)
            self._give_up(span, route, now, failed, unanswerable, why=error)
        return [Chunk(BatchKey(""), failed, {}, 0, now)] if failed else [], unanswerable

    def _begin(self, target: _Target, growing: dict[_Target, _Run]) -> _Run:
        """Begin a run of requests for one target; it ends the model's other runs, so that its order holds."""
        name = target.model or self._models.default
        for other in [other for other in growing if (other.model or self._models.default) == name]:
            del growing[other]
        run = growing[target] = _Run(target, [])
        return run

    def _route(self, envelope: Envelope, partition: int) -> Route | RequestError:
        try:
            return self._router.route(envelope, partition)
        except RequestError as error:
            return without_frames(error)

    def _give_up(
        self,
        span: Span,
        found: Route | RequestError,
        now: float,
        failed: list[PendingRequest],
        unanswerable: list[PendingRequest],
        *,
        why: RequestError | None = None,
    ) -> None:
        """Fail the requests of a span, by default for what its headers say, and find out which of them can be told."""
        route: Route | None
        if isinstance(found, RequestError):
            error: RequestError | None = found
            usual = self._router.default_route(span.progress.place.partition)
            route = usual if found.code is ErrorCode.BAD_VALUE else None
        else:
            error, route = why or span.envelope.error, found
        for request in _block_of(span, route or ("", 0), now):
            request.route = route
            if error is not None:
                request.fail(error)
            (unanswerable if route is None else failed).append(request)

    def _chunks_for(self, run: _Run, now: float) -> list[RequestChunk]:
        target = run.target
        try:
            model = self._models.resolve(target.model, target.version)
        except RequestError as error:
            requests = [request for part in run.parts for request in part]
            for request in requests:
                request.fail(error)
            without_frames(error)
            return [Chunk(BatchKey(""), requests, {}, 0, now)]
        decoder = self._decoder(model)
        values: list[bytes | None] = []
        for part in run.parts:
            records = part.records if isinstance(part, RequestBlock) else [request.record for request in part]
            values += [record.value for record in records]
        step = decoder.decode_raw(values) if target.raw else decoder.decode(values)
        return assemble(model, target.version, run.parts, step, now)

    def _decoder(self, model: Model) -> RequestDecoder:
        known = self._decoders.get(id(model))
        if known is None or known[0] is not model:
            known = (model, RequestDecoder(model.signature, self._limits))
            self._decoders = {
                id(each): self._decoders[id(each)] for each in self._models.loaded() if id(each) in self._decoders
            }
            self._decoders[id(model)] = known
        return known[1]


def _block_of(span: Span, route: Route, now: float) -> RequestBlock:
    progress, envelope, records, echo_name, echoes = span
    keys = [record.key for record in records]
    weight = sum(map(len, filter(None, keys))) + sum([len(record.value or b"") for record in records])
    block = RequestBlock(progress, envelope, route, records, keys, weight=weight + _WEIGHT * len(records))
    if echo_name:
        block.echo_name, block.echoes = echo_name, list(echoes)
    if envelope.timeout_s is not None:
        block.deadlines = deadlines_of(records, envelope.timeout_s, now)
    return block


def deadlines_of(records: Sequence[Record], timeout_s: float, now: float) -> list[float | None]:
    """Turn a timeout, which counts from each record's timestamp, into monotonic seconds.

    Args:
        records: whose timestamps count.
        timeout_s: how long after them their senders wait.
        now: monotonic seconds.
    """
    wall_ms = time.time() * 1000
    from_zero, from_now = now + timeout_s - wall_ms / 1000, now + timeout_s
    # A timestamp from before the epoch or from tomorrow is nobody's clock: arrival counts instead.
    return [
        from_zero + sent_ms / 1000 if 0 < (sent_ms := record.timestamp) < wall_ms + _DAY_MS else from_now
        for record in records
    ]
