"""Outcomes become records: replies with their provenance, error replies, dead letters."""

from typing import Final

from penstock.consumer.pending import PendingRequest, Route
from penstock.core.chunk import Batch
from penstock.core.engine import Inference
from penstock.schemas import headers as h
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.headers import Header
from penstock.schemas.logger import Logger
from penstock.schemas.replies import BatchEncoder, encode_error
from penstock.transport.publisher import Outgoing

log = Logger(__name__)

_JSON: Final[Header] = (h.CONTENT_TYPE, h.JSON_TYPE.encode())
_RAW: Final[Header] = (h.CONTENT_TYPE, h.RAW_TYPE.encode())
NO_EPOCH: Final[Header] = (h.EPOCH, b"-1")  # no control command is in force


class ReplyBuilder:
    """Builds the records that answer a batch.

    Args:
        max_reply_bytes: a larger reply becomes REPLY_TOO_LARGE.
    """

    def __init__(self, max_reply_bytes: int) -> None:
        self._max_reply_bytes = max_reply_bytes
        self.epoch: Header = NO_EPOCH

    def build(self, batch: Batch[PendingRequest], inference: Inference) -> dict[Route, list[Outgoing]]:
        """Answer every request of a batch that ran, in order, grouped by where the answers go."""
        requests = batch.requests
        encoder = _encoder_for(inference)
        plain = batch.uniform and not any(request.outputs or request.envelope.raw for request in requests)
        if encoder is not None and encoder.finite and plain:
            values = encoder.encode_rows([request.id for request in requests])
            if max(map(len, values)) <= self._max_reply_bytes:
                return self._group_plain(requests, values, self._shared_headers(inference)[0])
        return self._group(requests, _values(encoder, requests), self._shared_headers(inference))

    def _group_plain(
        self, requests: list[PendingRequest], values: list[bytes], shared: tuple[Header, ...]
    ) -> dict[Route, list[Outgoing]]:
        """Group the replies of the common batch: nothing failed, nothing is too large, everything is JSON."""
        grouped: dict[Route, list[Outgoing]] = {}
        last: Route | None = None
        records: list[Outgoing] = []
        for request, value in zip(requests, values, strict=True):
            record, route = request.record, request.route
            if route is not last and route is not None:  # neighbours mostly share their route, to the object
                last, records = route, grouped.setdefault(route, [])
            source = (h.SOURCE, b"%s%d" % (request.progress.source, record.offset))  # `_source`, without the call
            records.append((record.key, value, [*request.envelope.echo, source, *shared], request, None))
        return grouped

    def _group(
        self,
        requests: list[PendingRequest],
        values: list[bytes | RequestError],
        shared: tuple[tuple[Header, ...], tuple[Header, ...]],
    ) -> dict[Route, list[Outgoing]]:
        grouped: dict[Route, list[Outgoing]] = {}
        for request, value in zip(requests, values, strict=True):
            if isinstance(value, RequestError):
                record = self.error_reply(request, value)
            elif len(value) > self._max_reply_bytes:
                record = self.error_reply(request, _too_large(len(value)))
            else:
                tail = shared[1] if request.envelope.raw else shared[0]
                headers = [*request.envelope.echo, _source(request), *tail]
                record = (request.record.key, value, headers, request, None)
            if request.route is not None:
                grouped.setdefault(request.route, []).append(record)
        return grouped

    def error_reply(self, request: PendingRequest, error: RequestError) -> Outgoing:
        """Build the reply that says why there is no answer."""
        request.error = error
        code = (h.ERROR, error.code.value.encode())
        headers = [*request.envelope.echo, _source(request), code, self.epoch, _JSON]
        return request.record.key, encode_error(error, request.id), headers, request, None

    def _shared_headers(self, inference: Inference) -> tuple[tuple[Header, ...], tuple[Header, ...]]:
        """Return what every JSON reply, and every raw reply, of the batch says."""
        model = inference.model
        if model is None:
            return (), ()
        ran = (h.MODEL, f"{model.name}@{model.version}".encode())
        return (ran, self.epoch, _JSON), (ran, self.epoch, _RAW)


def _source(request: PendingRequest) -> Header:
    return h.SOURCE, b"%s%d" % (request.progress.source, request.record.offset)


def _encoder_for(inference: Inference) -> BatchEncoder | None:
    model = inference.model
    if model is None or not inference.outputs:
        return None
    return BatchEncoder(model.name, model.version, inference.outputs, batched=model.signature.batched)


def _values(encoder: BatchEncoder | None, requests: list[PendingRequest]) -> list[bytes | RequestError]:
    if encoder is None:
        return [request.error or _no_output() for request in requests]
    values: list[bytes | RequestError] = []
    row = 0
    for request in requests:
        values.append(_encode(encoder, request, row))
        row += request.rows
    return values


def _encode(encoder: BatchEncoder, request: PendingRequest, row: int) -> bytes | RequestError:
    if request.error is not None:
        return request.error
    try:
        if request.envelope.raw:
            return encoder.encode_raw(row, request.rows, request.envelope.output)
        return encoder.encode(row, request.rows, request.id, request.outputs)
    except RequestError as error:
        return error


def _no_output() -> RequestError:
    return RequestError(ErrorCode.MODEL_FAILED, "the model gave no output")


def _too_large(size: int) -> RequestError:
    return RequestError(ErrorCode.REPLY_TOO_LARGE, f"the reply has {size} bytes, more than the reply topic takes")


def dead_letter(request: PendingRequest, group: str, *, coordinates_only: bool = False) -> Outgoing:
    """Build the dead letter of a request that cannot be answered: its payload, with the reason in headers.

    With `coordinates_only` it has neither key, value nor headers of the request, so that it fits any topic.

    The `kafka_dlt-` headers are those of Spring's DeadLetterPublishingRecoverer (KafkaHeaders.java), so that its
    tools read them; numbers are big-endian.
    """
    record, place = request.record, request.progress.place
    error = request.error or _no_output()
    headers: list[Header] = [
        *(() if coordinates_only else record.headers),
        ("kafka_dlt-original-topic", place.topic.encode()),
        ("kafka_dlt-original-partition", place.partition.to_bytes(4, "big")),
        ("kafka_dlt-original-offset", record.offset.to_bytes(8, "big")),
        ("kafka_dlt-original-timestamp", record.timestamp.to_bytes(8, "big", signed=True)),
        ("kafka_dlt-original-consumer-group", group.encode()),
        ("kafka_dlt-exception-fqcn", b"penstock." + error.code.value.encode()),
        ("kafka_dlt-exception-message", error.message.encode()),
        (h.REASON, error.code.value.encode()),
        _source(request),
    ]
    key, value = (None, None) if coordinates_only else (record.key, record.value)
    return key, value, headers, request, None
