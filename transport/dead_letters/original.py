"""The request that a dead letter was made of, read where it lay: for letters that hold no payload."""

from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.dead_letters.letter import DeadLetter
from penstock.schemas.errors import TransportError
from penstock.schemas.record import Record
from penstock.transport.raw_records import fetch_raw, walk

_TIMEOUT_S: Final = 10.0


class OriginalGone(Exception):
    """The request is not where it was; the text says why."""


async def fetch_original(client_options: dict[str, Any], letter: DeadLetter) -> Record:
    """Read the request of a dead letter again. Its topic is there: naming it may create it.

    Raises:
        OriginalGone: it is no longer there, or another record is.
        TransportError: Kafka did not answer by the deadline.
    """
    topic, partition, offset = letter.source
    place = TopicPartition(topic, partition)
    gone = f"the dead letter has no payload, and {letter.source} is no longer there"
    try:
        data = await fetch_raw(client_options, place, offset, timeout_s=_TIMEOUT_S)
    except TransportError as error:
        if isinstance(error.__cause__, kafka_errors.OffsetOutOfRangeError):
            raise OriginalGone(gone) from error
        raise
    found = next(walk(place, data, offset), None)
    if found is None or found.offset != offset or found.record is None:
        raise OriginalGone(gone)
    record: Record = found.record
    # A topic that was made anew has other records at the same offsets.
    if record.timestamp != letter.source_time_ms or (letter.key is not None and record.key != letter.key):
        raise OriginalGone(f"the dead letter has no payload, and another record is at {letter.source} by now")
    return record
