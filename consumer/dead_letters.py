"""Dead letters: the records of requests that cannot be answered."""

import time

from penstock.consumer.pending import PendingRequest
from penstock.consumer.reply_builder import no_output, source_of
from penstock.schemas import headers as h
from penstock.schemas.dead_letters import letter as d
from penstock.schemas.dead_letters.digest import digest_of
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.headers import Header
from penstock.transport.publisher import Outgoing


def dead_letter(
    request: PendingRequest, group: str, *, coordinates_only: bool = False, with_payload: bool = True
) -> Outgoing:
    """Build the dead letter of a request that cannot be answered: its payload, with the reason in headers.

    Args:
        request: its `error` says why.
        group: that gives it up.
        coordinates_only: neither key, value nor headers of the request, so that it fits any topic.
        with_payload: False leaves the value out.
    """
    record = request.record
    error = request.error or no_output()
    unreadable = error.code is ErrorCode.UNREADABLE
    kept = with_payload and not coordinates_only and not unreadable
    headers = [
        *(() if coordinates_only else record.headers),
        *_where(request, group),
        (d.EXCEPTION, b"penstock." + error.code.value.encode()),
        (d.MESSAGE, error.message.encode()),
        (h.REASON, error.code.value.encode()),
        source_of(request),
        (d.DIGEST, digest_of(error).encode()),
        *_model(request, error),
        (d.TIME, b"%d" % (time.time_ns() // 1_000_000)),
        (d.ATTEMPTS, b"%d" % (1 + d.redrives_of(record.headers))),
        (d.PAYLOAD, (d.KEPT if kept else d.OMITTED).encode()),
    ]
    return None if coordinates_only else record.key, record.value if kept else None, headers, request, None


def _where(request: PendingRequest, group: str) -> list[Header]:
    """Return the headers that say where the request lay; the first of all that are added comes first."""
    record, place = request.record, request.progress.place
    return [
        (d.FIRST, place.topic.encode()),
        (d.PARTITION, place.partition.to_bytes(4, "big")),
        (d.OFFSET, record.offset.to_bytes(8, "big")),
        (d.TIMESTAMP, record.timestamp.to_bytes(8, "big", signed=True)),
        (d.GROUP, group.encode()),
    ]


def _model(request: PendingRequest, error: RequestError) -> list[Header]:
    """Return the header that names the version that failed, else what the request asked for, if anything."""
    asked = "@".join(filter(None, (request.envelope.model, request.envelope.version)))
    named = error.model or (asked if request.envelope.model else "")
    return [(d.MODEL, named.encode())] if named else []
