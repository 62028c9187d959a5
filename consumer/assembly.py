"""Assembly: requests and their decoded rows become chunks."""

from collections.abc import Sequence

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.decoding.decoder import Decoded, DecodedStep
from penstock.core.model import Array, Model

RequestChunk = Chunk[PendingRequest]


def assemble(
    model: Model,
    version: str | None,
    parts: Sequence[RequestBlock | list[PendingRequest]],
    step: DecodedStep,
    now: float,
) -> list[RequestChunk]:
    """Join requests with their rows, those of the columns in as few chunks as their order allows.

    Args:
        model: whom they ask.
        version: the version asked for.
        parts: the requests, in the order of the step.
        step: what became of their values.
        now: when they came, monotonic seconds.
    """
    assembly = _Assembly(model, version, step, now)
    place = 0
    for part in parts:
        places = range(place, place + len(part))
        place += len(part)
        odd = step.odd and not step.odd.keys().isdisjoint(places)
        if isinstance(part, RequestBlock) and not odd:
            assembly.add_block(part, places)
        else:
            assembly.add_each(list(part), places)
    return assembly.chunks


class _Assembly:
    """Collects the chunks of one step for one model."""

    def __init__(self, model: Model, version: str | None, step: DecodedStep, now: float) -> None:
        self._model = model
        self._version = version
        # Rows in the columns have one shape: that of the signature.
        self._common_key = self._key_of(step.columns)
        self._step = step
        self._used = 0  # rows of the columns handed out
        self._now = now
        self.chunks: list[RequestChunk] = []

    def _key_of(self, inputs: dict[str, Array]) -> BatchKey:
        signature = self._model.signature
        family = tuple([array.shape[1:] for array in inputs.values()]) if signature.batched else ()
        own = signature.max_rows, signature.batched, signature
        return BatchKey(self._model.name, self._version, family, *own)

    def add_block(self, block: RequestBlock, places: range) -> None:
        """Add a block whose rows are the next ones of the columns."""
        part = slice(places.start, places.stop)
        ids = self._step.ids[part]
        block.ids = ids if any(ids) else None
        block.rows = None if self._step.rows is None else self._step.rows[part]
        wanted = self._step.outputs and self._step.outputs[part]
        block.outputs = wanted if wanted and any(wanted) else None
        if block.rows is not None and all(rows == 1 for rows in block.rows):
            block.rows = None
        self._add_common(block, block.held_rows, uniform=block.rows is None, counts=block.rows)

    def add_each(self, requests: list[PendingRequest], places: range) -> None:
        """Add requests of which some failed, or have arrays of their own."""
        run: list[PendingRequest] = []
        for request, place in zip(requests, places, strict=True):
            odd = self._step.odd.get(place)
            if odd is None:
                request.id = self._step.ids[place]
                request.rows = 1 if self._step.rows is None else self._step.rows[place]
                request.outputs = None if self._step.outputs is None else self._step.outputs[place]
            else:
                request.id = odd.id
                if odd.bound is not None:
                    self._add_run(run)
                    run = []
                    self._add_alone(request, odd)
                    continue
                if odd.error is not None:
                    request.fail(odd.error)
            run.append(request)
        self._add_run(run)

    def _add_run(self, requests: list[PendingRequest]) -> None:
        if requests:
            rows = sum(request.rows for request in requests)
            self._add_common(requests, rows, uniform=all(request.rows == 1 for request in requests))

    def _add_common(
        self,
        requests: RequestBlock | list[PendingRequest],
        rows: int,
        *,
        uniform: bool,
        counts: list[int] | None = None,
    ) -> None:
        start, stop = self._used, self._used + rows
        self._used = stop
        inputs = {name: array[start:stop] for name, array in self._step.columns.items()} if rows else {}
        key = self._common_key if rows else self._key_of({})
        self._add(Chunk(key, requests, inputs, rows, self._now, uniform=uniform, counts=counts))

    def _add_alone(self, request: PendingRequest, odd: Decoded) -> None:
        bound = odd.bound
        if bound is not None:
            request.rows, request.outputs = bound.rows, bound.outputs
            key = self._key_of(bound.inputs)
            self._add(Chunk(key, [request], bound.inputs, bound.rows, self._now, uniform=bound.rows == 1))

    def _add(self, chunk: RequestChunk) -> None:
        requests = chunk.requests
        if isinstance(requests, RequestBlock):
            deadlines = requests.deadlines or []
        else:
            deadlines = [request.deadline for request in requests]
        chunk.deadline = min(filter(None, deadlines), default=None)
        self.chunks.append(chunk)
