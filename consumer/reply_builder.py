"""Outcomes become records: replies with their provenance, and error replies."""

import math
from functools import lru_cache
from itertools import repeat
from typing import Final

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest, Route
from penstock.core.batch import Batch
from penstock.core.chunk import Chunk
from penstock.core.engine import Inference
from penstock.schemas import headers as h
from penstock.schemas.errors import ErrorCode, RequestError, without_frames
from penstock.schemas.headers import Header
from penstock.schemas.replies import BatchEncoder, encode_error
from penstock.transport.parcels import Parcel
from penstock.transport.publisher import Outgoing
from penstock.transport.record_encoding import OwnHeader, RecordColumns, SingleRecords

_JSON: Final[Header] = (h.CONTENT_TYPE, h.JSON_TYPE.encode())
_RAW: Final[Header] = (h.CONTENT_TYPE, h.RAW_TYPE.encode())
_NO_EPOCH: Final = -1  # no control command is in force

Shared = tuple[tuple[Header, ...], tuple[Header, ...]]  # what every JSON reply, and every raw reply, of a batch says


class ReplyBuilder:
    """Builds the records that answer a batch.

    Args:
        max_reply_bytes: a larger reply becomes REPLY_TOO_LARGE.
    """

    def __init__(self, max_reply_bytes: int) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._epoch = _epoch_header(_NO_EPOCH)  # in force for the newest batch

    def build(self, batch: Batch[PendingRequest], inference: Inference) -> list[tuple[Route, Parcel]]:
        """Answer every request of a batch that ran, in order; each parcel's tokens are its requests."""
        self._epoch = _epoch_header(inference.epoch)
        encoder, shared = _encoder_for(inference), self._shared_headers(inference)
        parcels: list[tuple[Route, Parcel]] = []
        row = 0
        for chunk in batch.chunks:
            block = chunk.requests
            values = _values_of(block, encoder, row, chunk.rows) if isinstance(block, RequestBlock) else None
            if isinstance(block, RequestBlock) and values and max(map(len, values)) <= self._max_reply_bytes:
                parcels += _block_parcels(block, values, shared[block.envelope.raw])
            else:
                parcels += self._one_by_one(chunk, encoder, row, shared)
            row += chunk.rows
        return parcels

    def _one_by_one(
        self, chunk: Chunk[PendingRequest], encoder: BatchEncoder | None, row: int, shared: Shared
    ) -> list[tuple[Route, Parcel]]:
        grouped: dict[Route, tuple[SingleRecords, list[PendingRequest]]] = {}
        for request in chunk.itemised():
            key, value, headers, _, _ = self._reply(request, encoder, row, shared)
            row += request.rows
            if request.route is not None:
                records, tokens = grouped.setdefault(request.route, (SingleRecords(), []))
                records.append((key, value, headers))
                tokens.append(request)
        return [(route, Parcel(*found)) for route, found in grouped.items()]

    def _reply(self, request: PendingRequest, encoder: BatchEncoder | None, row: int, shared: Shared) -> Outgoing:
        value = _encode(encoder, request, row)
        if isinstance(value, bytes) and len(value) > self._max_reply_bytes:
            value = _too_large(len(value))
        if isinstance(value, RequestError):
            return self.error_reply(request, value)
        headers = [*request.echo, source_of(request), *shared[request.envelope.raw]]
        return request.record.key, value, headers, request, None

    def error_reply(self, request: PendingRequest, error: RequestError) -> Outgoing:
        """Build the reply that says why there is no answer."""
        request.error = error
        code = (h.ERROR, error.code.value.encode())
        headers = [*request.echo, source_of(request), code, *_retry_after(error), self._epoch, _JSON]
        return request.record.key, encode_error(error, request.id), headers, request, None

    def _shared_headers(self, inference: Inference) -> Shared:
        model = inference.model
        if model is None:
            return (), ()
        ran = (h.MODEL, f"{model.name}@{model.version}".encode())
        return (ran, self._epoch, _JSON), (ran, self._epoch, _RAW)


@lru_cache(maxsize=4)
def _epoch_header(epoch: int) -> Header:
    return h.EPOCH, b"%d" % epoch


def _retry_after(error: RequestError) -> list[Header]:
    after_s = error.retry_after_s
    return [] if after_s is None else [(h.RETRY_AFTER_MS, b"%d" % max(1, math.ceil(after_s * 1000)))]


def source_of(request: PendingRequest) -> Header:
    """Return the header that says where a request lies."""
    return h.SOURCE, b"%s%d" % (request.progress.source, request.record.offset)


def no_output() -> RequestError:
    """Return the error of a request that no model has answered."""
    return RequestError(ErrorCode.MODEL_FAILED, "the model gave no output")


def _values_of(block: RequestBlock, encoder: BatchEncoder | None, row: int, rows: int) -> list[bytes] | None:
    """Encode the answers of a block; None where one of them needs a closer look."""
    if encoder is None:
        return None
    try:
        return _raw_values(block, encoder, row, rows) if block.envelope.raw else _texts(block, encoder, row, rows)
    except RequestError:
        return None


def _raw_values(block: RequestBlock, encoder: BatchEncoder, row: int, rows: int) -> list[bytes]:
    output = block.envelope.output
    if block.rows is None:
        return encoder.encode_raw_rows(row, row + rows, output)
    return [encoder.encode_raw(at, count, output) for at, count in _places(row, block.rows)]


def _texts(block: RequestBlock, encoder: BatchEncoder, row: int, rows: int) -> list[bytes] | None:
    if not encoder.can_encode(row, row + rows, block.outputs):
        return None
    if block.rows is None:
        return encoder.encode_rows(row, row + rows, block.ids, block.outputs)
    asked = zip(_places(row, block.rows), block.ids or repeat(None), block.outputs or repeat(None), strict=False)
    return [encoder.encode(at, count, request_id, wanted) for (at, count), request_id, wanted in asked]


def _places(row: int, rows: list[int]) -> list[tuple[int, int]]:
    """Return the first row and the number of rows of each."""
    found = []
    for count in rows:
        found.append((row, count))
        row += count
    return found


def _block_parcels(block: RequestBlock, values: list[bytes], shared: tuple[Header, ...]) -> list[tuple[Route, Parcel]]:
    source = OwnHeader(h.SOURCE, [record.offset for record in block.records], block.progress.source)
    own = [source] if block.echoes is None else [OwnHeader(block.echo_name, block.echoes), source]
    records = RecordColumns(block.keys, values, own, shared)
    if block.routes is None:
        return [(block.route, Parcel(records, block))]
    # Runs of neighbours: what goes to one partition keeps its order there.
    borders = [at for at in range(1, len(block)) if block.routes[at] != block.routes[at - 1]]
    runs = [slice(start, stop) for start, stop in zip([0, *borders], [*borders, len(block)], strict=True)]
    return [(block.routes[run.start], Parcel(records[run], block[run])) for run in runs]


def _encoder_for(inference: Inference) -> BatchEncoder | None:
    model = inference.model
    if model is None or not inference.outputs:
        return None
    signature, finite_only = model.signature, inference.finite_only
    return BatchEncoder(
        model.name, model.version, inference.outputs, batched=signature.batched, finite_only=finite_only
    )


def _encode(encoder: BatchEncoder | None, request: PendingRequest, row: int) -> bytes | RequestError:
    if request.error is not None or encoder is None:
        return request.error or no_output()
    try:
        if request.envelope.raw:
            return encoder.encode_raw(row, request.rows, request.envelope.output)
        return encoder.encode(row, request.rows, request.id, request.outputs)
    except RequestError as error:
        return without_frames(error)


def _too_large(size: int) -> RequestError:
    return RequestError(ErrorCode.REPLY_TOO_LARGE, f"the reply has {size} bytes, more than the reply topic takes")
