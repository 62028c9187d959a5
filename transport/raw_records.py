"""Reading past a record that aiokafka cannot read.

aiokafka decodes a record batch from its beginning and raises at the first record it cannot read; all that follows
in the batch is lost to it. Here the batches are fetched again as bytes and walked record by record.

Source: kafka.apache.org/documentation, "Record Batch" and "Record".
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.checksums import LATE
from penstock.transport.closing import closing
from penstock.transport.inflation import MAX_BATCH_BYTES, is_swollen

log = Logger(__name__)

_MAX_BYTES: Final = 1_048_576  # aiokafka's own max_partition_fetch_bytes; a larger first batch comes whole
_LENGTH: Final = slice(8, 12)
_OVERHEAD: Final = 12  # bytes of a batch before what its length counts
_MAGIC_AT: Final = 16
_LAST_DELTA: Final = slice(23, 27)
_SMALLEST: Final = 61  # bytes of a batch without records
_MOST_LOST: Final = 10_000  # records that a damaged batch may claim where the partition's end is not known


class Found(NamedTuple):
    """One record of a walk, in the order of the offsets.

    Attributes:
        offset: its place.
        record: None when it cannot be read.
    """

    offset: int
    record: ConsumerRecord[bytes | None, bytes | None] | None


def is_unreadable(error: Exception) -> bool:
    """Tell whether what `getmany` raised is about the bytes of a record, not about reaching Kafka.

    Codecs raise errors of their own kinds, so all that is no error of Kafka's counts.
    """
    damaged = (kafka_errors.CorruptRecordException, kafka_errors.UnsupportedCodecError)
    others = (kafka_errors.KafkaError, kafka_errors.ConsumerStoppedError)
    return isinstance(error, damaged) or not isinstance(error, others)


async def fetch_raw(client_options: dict[str, Any], place: TopicPartition, offset: int, *, timeout_s: float) -> bytes:
    """Fetch record batches as bytes, the first being the one that holds `offset`; raises as `fetch_to_end`."""
    data, _ = await fetch_to_end(client_options, place, offset, timeout_s=timeout_s)
    return data


async def fetch_to_end(
    client_options: dict[str, Any], place: TopicPartition, offset: int, *, timeout_s: float
) -> tuple[bytes, int]:
    """Fetch record batches as bytes, the first being the one that holds `offset`.

    Returns:
        The bytes, and the offset after the partition's last one when they were read.

    Raises:
        TransportError: the partition's leader did not answer by the deadline, or refused.
    """
    try:
        async with closing(AIOKafkaClient(**client_options)) as client, asyncio.timeout(timeout_s):
            await client.bootstrap()
            await client.set_topics([place.topic])
            wanted = [(place.topic, [(place.partition, offset, _MAX_BYTES)])]
            leader = client.cluster.leader_for_partition(place)
            response = await client.send(leader, FetchRequest(100, 1, _MAX_BYTES, 0, wanted))
        ((_, ((_, code, end, *_, data),)),) = response.topics
        if code:
            raise kafka_errors.for_code(code)(place)
        return bytes(data or b""), int(end)
    except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
        raise TransportError(f"{place.topic}/{place.partition} could not be read again: {error!r}") from error


def walk(
    place: TopicPartition,
    data: bytes,
    offset: int,
    *,
    end: int | None = None,
    max_batch_bytes: int = MAX_BATCH_BYTES,
) -> Iterator[Found]:
    """Yield the records of whole batches from `offset` on, readable or not; control batches are passed over.

    Nothing that a damaged batch says of itself is relied on: it ends where the next sound one begins. Where none
    follows, the walk ends with it; the broker finds by itself what comes next.

    Args:
        place: the partition, for the records.
        data: record batches, the last one perhaps cut off.
        offset: the first offset that is wanted.
        end: the partition's end, where it is known: no record has that offset, or a higher one.
        max_batch_bytes: a batch that would become larger when it is decompressed cannot be read.
    """
    batch, rest = _cut(data)
    while batch:
        following, rest = _cut(rest)
        if _is_sound(batch, offset, end):
            stop = offset
            for found in _in_sound(place, batch, max_batch_bytes):
                stop = found.offset + 1
                if found.offset >= offset:
                    yield found
            offset = max(offset, stop)
        else:
            known = _first_offset(following) if _is_sound(following, offset + 1, end) else None
            stop = _end_of_damaged(batch, offset, end) if known is None else known
            yield from (Found(lost, None) for lost in range(offset, stop))
            if known is None:
                return
            offset = max(offset, stop)
        batch = following


def _cut(data: memoryview | bytes) -> tuple[bytes, memoryview]:
    """Return the first batch, as long as it says it is, and the rest; empty where it is cut off."""
    view = memoryview(data)
    size = _OVERHEAD + int.from_bytes(view[_LENGTH], "big", signed=True) if len(view) > _MAGIC_AT else 0
    return (bytes(view[:size]), view[size:]) if _OVERHEAD < size <= len(view) else (b"", view[:0])


def _is_sound(batch: bytes, offset: int, end: int | None) -> bool:
    """Tell whether a batch is what it says, and where it says: its first offset is under no checksum."""
    if len(batch) < _SMALLEST or batch[_MAGIC_AT] != 2 or not _DefaultRecordBatchPy(batch).validate_crc():
        return False
    return end is None or offset < _first_offset(batch) + _delta(batch) + 1 <= end + LATE


def _first_offset(batch: bytes) -> int:
    return int.from_bytes(batch[:8], "big", signed=True)


def _delta(batch: bytes) -> int:
    return int.from_bytes(batch[_LAST_DELTA], "big", signed=True)


def _end_of_damaged(batch: bytes, offset: int, end: int | None) -> int:
    """Return the offset after a damaged batch: by what it says as far as that can be, one at least."""
    said = _first_offset(batch) + _delta(batch) + 1
    most = offset + _MOST_LOST if end is None else end
    return max(offset + 1, said if offset < said <= most else min(most, offset + 1))


def _in_sound(place: TopicPartition, data: bytes, max_batch_bytes: int) -> Iterator[Found]:
    batch = _DefaultRecordBatchPy(data)
    at = batch.base_offset
    try:
        if not is_swollen(data, max_batch_bytes):
            if batch.is_control_batch:
                return
            for found in _records(place, batch):
                at = found.offset + 1
                yield found
            return
    except Exception:  # whatever a codec or a cut-off record makes of bytes that are not what they say
        log.debug("a record batch is not what it says", topic=place.topic, partition=place.partition, offset=at)
    yield from (Found(lost, None) for lost in range(at, batch.next_offset))


def _records(place: TopicPartition, batch: Any) -> Iterator[Found]:
    iter(batch)  # decompresses
    for _ in range(batch._num_records):
        length, start = decode_varint(batch._buffer, batch._pos)
        try:
            yield _found(place, batch._read_msg())
        except UnicodeDecodeError:
            _, at = decode_varint(batch._buffer, start)  # attributes
            _, at = decode_varint(batch._buffer, at)  # timestamp
            delta, _ = decode_varint(batch._buffer, at)
            batch._pos = start + length
            yield Found(batch.base_offset + delta, None)


def _found(place: TopicPartition, record: Any) -> Found:
    sizes = [-1 if part is None else len(part) for part in (record.key, record.value)]
    read = ConsumerRecord(
        *place, record.offset, record.timestamp, record.timestamp_type, record.key, record.value, None, *sizes,
        record.headers,
    )  # fmt: skip
    return Found(record.offset, read)
