"""aiokafka's consumer, handing out records as its C extension made them.

aiokafka takes a fetch apart record by record in a generator, and builds a `ConsumerRecord` of each: 1.3 us a record,
more than all else that reading it costs. Here a whole record batch is listed at once.

What is used of aiokafka beyond its public names is used here alone, and `tests/transport/test_record_consumer.py`
says when it moves: the fetcher keeps what has arrived in `_records`, a `FetchResult` for each partition, and hands it
out by calling `getall` of it.
"""

import weakref
from collections import OrderedDict
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords

from penstock.transport.checksums import LATE, CheckingClient
from penstock.transport.frames import Connections
from penstock.transport.inflation import MAX_BATCH_BYTES, Swollen, swollen_among


class RecordConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Gives what its parent gives, but records that have no topic and partition, and no sizes.

    Args:
        max_batch_bytes: a record batch that would become larger when it is decompressed is not.
    """

    def __init__(self, *topics: str, max_batch_bytes: int = MAX_BATCH_BYTES, **options: Any) -> None:
        super().__init__(*topics, **options)
        self.max_batch_bytes = max_batch_bytes
        self._client._conns = Connections()

    async def start(self) -> None:
        """Connect, and join the group if there is one."""
        await super().start()
        self._fetcher._client = CheckingClient(self._client)
        self._fetcher._records = _Arrivals(self._fetcher._client, self.max_batch_bytes)


class _Arrivals(OrderedDict[Any, Any]):
    """Partition -> what has arrived of it.

    Args:
        client: who has fetched it, and knows which checksums need no second look.
        max_batch_bytes: of a decompressed record batch.
    """

    def __init__(self, client: CheckingClient, max_batch_bytes: int) -> None:
        super().__init__()
        self._client = client
        self._max_batch_bytes = max_batch_bytes

    def __setitem__(self, place: Any, arrived: Any) -> None:
        if isinstance(arrived, FetchResult):
            if place in self._client.right:
                arrived._partition_records._check_crcs = False
            data, end = self._client.fetched.pop(place, (b"", None))
            arrived.getall = _Batches(arrived, data, end, self._max_batch_bytes).take
        super().__setitem__(place, arrived)


class _Batches:
    """The record batches of a fetch of one partition.

    Args:
        result: aiokafka's own.
        data: the bytes that it was made of.
        end: the offset after the partition's last one; None where that is not known.
        max_batch_bytes: of a decompressed record batch.
    """

    def __init__(
        self, result: FetchResult, data: bytes = b"", end: int | None = None, max_batch_bytes: int = MAX_BATCH_BYTES
    ) -> None:
        # No cycles: what was fetched is to go when it is handed out, not when the garbage collector comes.
        self._result = weakref.ref(result)
        self._source: PartitionRecords = result._partition_records
        self._source._records_iterator = None
        self._data = data
        self._end = end
        self._max_batch_bytes = max_batch_bytes
        self._swollen: frozenset[int] | None = None  # first offsets of batches that are; None until one is compressed
        self._open: list[Any] = []  # records of the batch begun
        self._at = 0  # those before it are handed out
        self._after = 0  # where the batch ends

    def take(self, max_records: int | None = None) -> list[Any]:
        """Return the next records, and move the position behind them.

        Raises:
            CorruptRecordException: a checksum is wrong, or an offset.
            Swollen: a batch would become too large.
            Exception: a record cannot be read, of any kind.
        """
        result, source = self._result(), self._source
        if result is None or not result.check_assignment(result._topic_partition) or not result.has_more():
            return []
        taken: list[Any] = []
        room = float("inf") if max_records is None else max_records
        while len(taken) < room:
            left = len(self._open) - self._at
            if not left and not self._next():
                result._update_position()
                result._partition_records = None
                return taken
            stop = int(min(len(self._open), self._at + room - len(taken)))
            taken += self._open[self._at : stop] if self._at or stop < len(self._open) else self._open
            self._at = stop
            source.next_fetch_offset = self._after if stop == len(self._open) else self._open[stop].offset
        result._update_position()
        return taken

    def _next(self) -> bool:
        """Open the next batch that has records to hand out; False when there is none."""
        source = self._source
        while source._records.has_next():
            batch = source._records.next_batch()
            if source._check_crcs and not batch.validate_crc():
                raise kafka_errors.CorruptRecordException(f"Invalid CRC - {source._tp}")
            begin = source.next_fetch_offset
            # A batch's first offset is under no checksum: what is far beyond the partition's end is damaged.
            if self._end is not None and not begin < batch.next_offset <= self._end + LATE:
                raise kafka_errors.CorruptRecordException(f"Invalid offsets - {source._tp}")
            if batch.compression_type:
                self._refuse_swollen(batch)
            if self._is_data(batch):
                records = list(batch)
                if records and records[0].offset < begin:
                    records = [record for record in records if record.offset >= begin]
                if records:
                    self._open, self._at, self._after = records, 0, max(batch.next_offset, records[-1].offset + 1)
                    return True
            # The last offset of a batch stays when compaction has taken its record.
            source.next_fetch_offset = batch.next_offset
        return False

    def _refuse_swollen(self, batch: Any) -> None:
        if self._swollen is None:
            self._swollen, self._data = swollen_among(self._data, self._max_batch_bytes), b""
        if batch.base_offset in self._swollen:
            raise Swollen(f"a record batch of more than {self._max_batch_bytes} bytes - {self._source._tp}")

    def _is_data(self, batch: Any) -> bool:
        """Tell whether a batch holds records of a sender, none of which were taken back."""
        source = self._source
        if source._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            source._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch:
                if source._contains_abort_marker(batch):
                    source._aborted_producers.discard(batch.producer_id)
            elif batch.is_transactional and batch.producer_id in source._aborted_producers:
                return False
        return not batch.is_control_batch
