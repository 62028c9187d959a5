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
from penstock.transport.closing import closing

_MAX_BYTES: Final = 1_048_576  # aiokafka's own max_partition_fetch_bytes; a larger first batch comes whole
_LENGTH: Final = slice(8, 12)
_OVERHEAD: Final = 12  # bytes of a batch before what its length counts
_MAGIC_AT: Final = 16


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
    """Fetch record batches as bytes, the first being the one that holds `offset`.

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
        ((_, ((_, code, *_, data),)),) = response.topics
        if code:
            raise kafka_errors.for_code(code)(place)
        return bytes(data or b"")
    except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
        raise TransportError(f"{place.topic}/{place.partition} could not be read again: {error!r}") from error


def walk(place: TopicPartition, data: bytes, offset: int) -> Iterator[Found]:
    """Yield the records of whole batches from `offset` on, readable or not; control batches are passed over.

    Args:
        place: the partition, for the records.
        data: record batches, the last one perhaps cut off.
        offset: the first offset that is wanted.
    """
    at = 0
    while len(data) - at > _MAGIC_AT:
        end = at + _OVERHEAD + int.from_bytes(data[at : at + _OVERHEAD][_LENGTH], "big", signed=True)
        if not at < end <= len(data):
            return
        for found in _batch(place, data[at:end], offset):
            if found.offset >= offset:
                yield found
        at = end


def _batch(place: TopicPartition, data: bytes, offset: int) -> Iterator[Found]:
    batch = _DefaultRecordBatchPy(data)
    at = max(offset, batch.base_offset)
    try:
        if data[_MAGIC_AT] == 2 and batch.validate_crc():
            if batch.is_control_batch:
                return
            for found in _records(place, batch):
                at = found.offset + 1
                yield found
            return
    except Exception:  # whatever a codec or a cut-off record makes of bytes that are not what they say
        at = max(at, offset)
    # The broker has checked how many offsets the batch takes, but the disk may have changed that too.
    last = batch.next_offset if 0 <= batch.last_offset_delta < 1_000_000 else at + 1
    for place_in_batch in range(at, max(last, at + 1)):
        yield Found(place_in_batch, None)


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
