"""Walking past a record that cannot be read.

aiokafka raises for a whole fetch when one record in it has a header key that is not UTF-8, when a checksum is wrong, or
when a batch cannot be decompressed or would become too large (`transport/inflation.py`). The good records that it had
taken out of its buffers for that call, of other partitions too, are gone then. So every open partition goes back to its
position. Then each is read by itself, and the one that fails again is read as bytes, record by record: the good ones
are served, of the others the coordinates become a dead letter.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.outbox import Outbox
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError, TransportError
from penstock.schemas.logger import Logger
from penstock.schemas.record import Record
from penstock.transport.raw_records import fetch_to_end, is_unreadable, walk
from penstock.transport.record_consumer import RecordConsumer

log = Logger(__name__)

_WAIT_MS: Final = 500
_RAW_TIMEOUT_S: Final = 10.0


class Salvaged(NamedTuple):
    """Part of what a partition held.

    Attributes:
        progress: of the partition.
        records: readable ones, offsets ascending.
        unreadable: the offset after them that cannot be read, or None.
    """

    progress: PartitionProgress
    records: list[Record]
    unreadable: int | None


class Salvage:
    """Finds unreadable records and puts them aside.

    Args:
        consumer: whose fetch failed.
        outbox: takes the dead letters.
        client_options: keyword arguments for aiokafka's clients that concern the connection.
    """

    def __init__(self, consumer: RecordConsumer, outbox: Outbox, client_options: dict[str, Any]) -> None:
        self._consumer = consumer
        self._outbox = outbox
        self._options = client_options

    def go_back(self, partitions: Mapping[TopicPartition, PartitionProgress]) -> None:
        """Let the next fetch of each partition begin where it was taken in last."""
        assigned = self._consumer.assignment()
        for place, progress in partitions.items():
            if progress.position is not None and not progress.closed and place in assigned:
                self._consumer.seek(place, progress.position)

    async def read(self, partitions: Mapping[TopicPartition, PartitionProgress]) -> list[Salvaged]:
        """Read what every partition holds next, each by itself, in order per partition."""
        found: list[Salvaged] = []
        for place, progress in list(partitions.items()):
            end, position = self._end_of(place, progress), progress.position
            if position is None or end is None or position >= end:
                continue
            try:
                fetched = await self._consumer.getmany(place, timeout_ms=_WAIT_MS)
            except Exception as error:
                if not is_unreadable(error):
                    raise
                log.warning("a partition cannot be read", topic=place.topic, partition=place.partition)
                if not progress.closed:
                    found += await self._read_raw(progress, position)
            else:
                found += [Salvaged(progress, records, None) for records in fetched.values()]
        return found

    def put_aside(self, progress: PartitionProgress, offset: int) -> None:
        """Write a dead letter for an unreadable record that is next in line."""
        place = progress.place
        log.error("unreadable record put aside", topic=place.topic, partition=place.partition, offset=offset)
        record = ConsumerRecord(place.topic, place.partition, offset, 0, 0, None, None, None, -1, -1, ())
        request = PendingRequest(progress, record, Envelope(), None)
        request.fail(RequestError(ErrorCode.UNREADABLE, "the record cannot be read; only its coordinates are known"))
        request.held_rows = 0  # it was never let in
        if progress.position is not None and progress.position < offset:
            progress.finish(progress.position, offset)  # no record has these offsets
        progress.skip_to(offset + 1)
        self._outbox.bury([request])

    def _end_of(self, place: TopicPartition, progress: PartitionProgress) -> int | None:
        if progress.closed or place not in self._consumer.assignment() or place in self._consumer.paused():
            return None
        end: int | None = self._consumer.highwater(place)
        return end

    async def _read_raw(self, progress: PartitionProgress, position: int) -> list[Salvaged]:
        try:
            data, end = await fetch_to_end(self._options, progress.place, position, timeout_s=_RAW_TIMEOUT_S)
        except TransportError as error:
            log.warning("unreadable record not passed yet; trying again", error=str(error))
            return []
        found: list[Salvaged] = []
        records: list[Record] = []
        bound = self._consumer.max_batch_bytes
        for offset, record in walk(progress.place, data, position, end=end, max_batch_bytes=bound):
            if record is not None:
                records.append(record)
                continue
            found.append(Salvaged(progress, records, offset))
            records = []
        return [*found, Salvaged(progress, records, None)]
