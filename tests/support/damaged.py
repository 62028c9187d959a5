"""Records that no client library writes, sent by a raw produce request."""

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

_MARK = "zz-damaged"
# Places in a record batch: its length, the checksum and what it covers.
_LENGTH_AT, _CRC_AT, _COVERED_FROM = 8, 17, 21


def batch_with_damaged_header_key(values: list[bytes], damaged: int) -> bytes:
    """A record batch in which one record has a header key that is not UTF-8; the checksum is right."""
    raw = _batch(values, damaged)
    at = raw.index(_MARK.encode())
    raw[at : at + len(_MARK)] = b"\xff\xfe" + _MARK[2:].encode()
    return sealed(raw)


def _batch(values: list[bytes], marked: int | None = None) -> bytearray:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for number, value in enumerate(values):
        headers = [(_MARK, b"v")] if number == marked else []
        assert builder.append(number, timestamp=1_700_000_000_000, key=b"k", value=value, headers=headers) is not None
    return bytearray(builder.build())


def sealed(raw: bytearray) -> bytes:
    raw[_CRC_AT : _CRC_AT + 4] = calc_crc32c(bytes(raw[_COVERED_FROM:])).to_bytes(4, "big")
    return bytes(raw)


async def produce_raw(bootstrap: str, topic: str, partition: int, batch: bytes) -> int:
    """Send a record batch as it is and return its first offset."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        await client._wait_on_metadata(topic)
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        response = await client.send(
            leader,
            ProduceRequest(
                transactional_id=None, required_acks=-1, timeout=10_000, topics=[(topic, [(partition, batch)])]
            ),
        )
        ((_, ((_, code, offset, *_),)),) = response.topics
        assert code == 0, f"the broker refused the batch with error {code}"
        return int(offset)
    finally:
        await client.close()
