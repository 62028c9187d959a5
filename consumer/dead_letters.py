"""Dead letters: the records of requests that cannot be answered."""

from penstock.consumer.pending import PendingRequest
from penstock.consumer.reply_builder import no_output, source_of
from penstock.schemas import headers as h
from penstock.schemas.headers import Header
from penstock.transport.publisher import Outgoing


def dead_letter(request: PendingRequest, group: str, *, coordinates_only: bool = False) -> Outgoing:
    """Build the dead letter of a request that cannot be answered: its payload, with the reason in headers.

    With `coordinates_only` it has neither key, value nor headers of the request, so that it fits any topic.

    The `kafka_dlt-` headers are those of Spring's DeadLetterPublishingRecoverer (KafkaHeaders.java), so that its
    tools read them; numbers are big-endian.
    """
    record, place = request.record, request.progress.place
    error = request.error or no_output()
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
        source_of(request),
    ]
    key, value = (None, None) if coordinates_only else (record.key, record.value)
    return key, value, headers, request, None
