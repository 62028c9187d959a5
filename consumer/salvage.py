"""Walking past a record that cannot be read.

aiokafka raises for a whole fetch when one record in it has a header key that is not UTF-8, or when a checksum is
wrong, and drops the good records that came before. Here the partitions are read again from their positions, one
record at a time, until the offender stands alone; its coordinates become a dead letter and reading goes on after
it.
"""

from collections.abc import Mapping
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.outbox import Outbox
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError

log = structlog.get_logger(__name__)

_READ_AGAIN: Final = 2  # a checksum may have been broken on the way: the second reading decides
_WAIT_MS: Final = 500
_UNREADABLE: Final = (UnicodeDecodeError, kafka_errors.CorruptRecordException)


class Salvage:
    """Finds unreadable records and puts them aside.

    Args:
        consumer: whose fetch failed.
        outbox: takes the dead letters.
    """

    def __init__(self, consumer: AIOKafkaConsumer, outbox: Outbox) -> None:
        self._consumer = consumer
        self._outbox = outbox

    async def walk(self, partitions: Mapping[TopicPartition, PartitionProgress]) -> None:
        """Take every unreadable record next in line, of any open partition, out of the way."""
        for place, progress in list(partitions.items()):
            if progress.position is None or progress.closed:
                continue
            self._consumer.seek(place, progress.position)
            unreadable = await self._next_unreadable(place, progress)
            if unreadable is not None:
                self._put_aside(progress, unreadable)
            # What was looked at on the way is fetched again, and served this time.
            if not progress.closed and place in self._consumer.assignment():
                self._consumer.seek(place, progress.position)

    async def _next_unreadable(self, place: TopicPartition, progress: PartitionProgress) -> int | None:
        """Return the offset of the partition's next record if it cannot be read, twice."""
        for _ in range(_READ_AGAIN):
            try:
                await self._consumer.getmany(place, timeout_ms=_WAIT_MS, max_records=1)
            except _UNREADABLE:
                if progress.closed:
                    return None
                self._consumer.seek(place, progress.position)
                continue
            return None
        return progress.position

    def _put_aside(self, progress: PartitionProgress, offset: int) -> None:
        place = progress.place
        log.error("unreadable record put aside", topic=place.topic, partition=place.partition, offset=offset)
        record = ConsumerRecord(place.topic, place.partition, offset, 0, 0, None, None, None, -1, -1, ())
        request = PendingRequest(progress, record, Envelope(), None)
        request.fail(RequestError(ErrorCode.UNREADABLE, "the record cannot be read; only its coordinates are known"))
        progress.skip_to(offset + 1)
        self._outbox.bury([request])
