"""A record batch made of records that are encoded already, in the place of aiokafka's `BatchBuilder`.

Source: kafka.apache.org/documentation, "Record Batch" (message format version 2).
"""

import struct
import time
from itertools import accumulate, chain
from typing import Any, Final

from aiokafka.producer.message_accumulator import BatchBuilder

from penstock.transport.checksums import checksum
from penstock.transport.record_encoding import Records, SingleRecords, number

# Base offset, length, leader epoch, magic, CRC. Then what the CRC is taken of: attributes, last offset delta, first and
# largest timestamp, producer id, producer epoch, base sequence, number of records.
_HEAD: Final = struct.Struct(">qiibI")
_REST: Final = struct.Struct(">hiqqqhii")
_UNCOUNTED: Final = 12  # bytes of the head that the length leaves out: base offset, and the length itself
_OVERHEAD: Final = _HEAD.size + _REST.size
_VERSION: Final = 2
_NO_LEADER_EPOCH: Final = -1
_PLAIN: Final = 0  # attributes: not compressed, not transactional, the sender's timestamps
_TRANSACTIONAL: Final = 0x10


class RecordBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """What `AIOKafkaProducer.send_batch` takes; its `_` methods are those that the producer calls.

    Args:
        max_bytes: bytes of the whole batch; the first record is taken whatever its size.
    """

    _attributes = _PLAIN

    def __init__(self, max_bytes: int) -> None:
        self._room = max_bytes - _OVERHEAD
        self._count = 0
        self._parts: list[bytes] = []  # two of each record: its length and itself
        self._first_ms: int | None = None
        self._last_ms = 0
        self._producer = (-1, -1, -1)  # id, epoch, base sequence
        self._built: bytes | None = None

    def __repr__(self) -> str:
        return f"<RecordBatch {self._count} records>"

    def extend(self, records: Records, timestamp_ms: int | None = None) -> int:
        """Take records in as long as there is room.

        Args:
            records: at least one.
            timestamp_ms: epoch milliseconds of all of them; None is now.

        Returns:
            How many were taken: all, or those from the first on that have room.
        """
        stamp = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        if self._first_ms is None:
            self._first_ms = stamp
        self._last_ms = max(self._last_ms, stamp)
        encoded = records.encode(self._count, b"\0" + number(stamp - self._first_ms))  # 0: no attributes
        sizes = list(map(len, encoded))
        lengths = list(map(number, sizes))
        taken, needed = len(encoded), sum(sizes) + sum(map(len, lengths))
        if needed > self._room:
            taken, needed = self._within(sizes, lengths)
            del encoded[taken:]
        self._room -= needed
        self._count += taken
        self._parts += chain.from_iterable(zip(lengths, encoded, strict=False))
        return taken

    def append(self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Any = ()) -> Any:
        """Take one record in; None when there is no room."""
        return self.extend(SingleRecords([(key, value, headers)]), timestamp) or None

    def close(self) -> None:
        """Do nothing: this batch is only handed over when it is complete."""

    def closed(self) -> bool:
        """Tell that nothing is added after it has been handed over."""
        return True

    def record_count(self) -> int:
        """Return the number of records."""
        return self._count

    def size(self) -> int:
        """Return the bytes of the whole batch."""
        return _OVERHEAD + sum(map(len, self._parts)) if self._built is None else len(self._built)

    def _within(self, sizes: list[int], lengths: list[bytes]) -> tuple[int, int]:
        """Return how many records fit, and their bytes."""
        ends = list(accumulate(size + len(length) for size, length in zip(sizes, lengths, strict=True)))
        fitting = sum(end <= self._room for end in ends)
        if not fitting and not self._count:
            fitting = 1
        return fitting, ends[fitting - 1] if fitting else 0

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytes:
        if self._built is None:
            stamps = (self._first_ms or 0, self._last_ms)
            checked = b"".join(
                (_REST.pack(self._attributes, self._count - 1, *stamps, *self._producer, self._count), *self._parts)
            )
            size = _HEAD.size + len(checked) - _UNCOUNTED
            head = _HEAD.pack(0, size, _NO_LEADER_EPOCH, _VERSION, checksum(checked))
            self._built = head + checked
            self._parts = []
        return self._built


class TransactionalBatch(RecordBatch):
    """A record batch that readers of committed records see when its transaction has committed."""

    _attributes = _TRANSACTIONAL

    def __len__(self) -> int:
        return self._count

    def belongs_to(self, producer_id: int, producer_epoch: int, sequence: int) -> None:
        """Say whose it is, and the sequence number of its first record; once, before it is encoded."""
        self._set_producer_state(producer_id, producer_epoch, sequence)

    def encoded(self) -> bytes:
        """Return the whole batch as Kafka takes it."""
        return self._build()
