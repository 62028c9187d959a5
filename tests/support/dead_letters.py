"""Requests and their dead letters, written without a worker; and what was sent again."""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from penstock.consumer.dead_letters import dead_letter
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError
from tests.support.lane import PARTITIONS, Lane
from tests.support.waiting import until

FORBIDDEN = RequestError(ErrorCode.REPLY_FORBIDDEN, "the request's reply topic is not among those allowed")


async def bury(
    lane: Lane,
    values: Sequence[bytes | None],
    *,
    partition: int = 3,
    error: RequestError = FORBIDDEN,
    with_payload: bool = True,
    coordinates_only: bool = False,
    **changed: Any,
) -> list[int]:
    """Send requests with the key `key` and a header, write a dead letter for each, and return the letters' offsets.

    Args:
        lane: its dead-letter topic has one partition.
        values: of the requests.
        partition: of the requests.
        error: why they could not be answered.
        with_payload, coordinates_only: as `dead_letter` takes them.
        **changed: facts about the request that the letter has wrong, such as `offset`.
    """
    headers = (("penstock-id", b"1"), ("penstock-reply-topic", b"elsewhere"))
    sent = await lane.send([(partition, b"key", value, headers) for value in values])
    topics = await lane.topics()
    if lane.dead_letters not in topics:
        await lane.create(lane.dead_letters, 1)
    progress = PartitionProgress(TopicPartition(changed.get("topic", lane.requests), partition), 0)
    found = []
    async with lane.producer(max_request_size=2_000_000) as producer:
        for value, each in zip(values, sent, strict=True):
            record = Taken(changed.get("offset", each.offset), changed.get("timestamp", each.timestamp), value, headers)
            request = PendingRequest(progress, record, Envelope(), None)
            request.error = error
            key, payload, added, *_ = dead_letter(
                request, lane.group, with_payload=with_payload, coordinates_only=coordinates_only
            )
            batch = producer.create_batch()  # `send` takes no record without key and value
            batch.append(timestamp=None, key=key, value=payload, headers=list(added))
            written = await (await producer.send_batch(batch, lane.dead_letters, partition=0))
            found.append(written.offset)
    return found


class Taken:
    """A request as it was fetched."""

    key = b"key"

    def __init__(self, offset: int, timestamp: int, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        self.offset = offset
        self.timestamp = timestamp
        self.value = value
        self.headers = headers


async def sent_again(lane: Lane, *, settled: bool = True) -> dict[str, list[Any]]:
    """Return what was sent again, by the dead letter that it was, as a worker would see it: committed records only.

    Args:
        lane: whose request topic is read.
        settled: wait until every transaction has ended; a commit returns a moment before that.
    """
    found: dict[str, list[Any]] = {}
    places = [TopicPartition(lane.requests, number) for number in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=lane.bootstrap, isolation_level="read_committed") as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await lane.ends()
        if not settled:
            ends = {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}

        async def read() -> bool:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    letter = dict(record.headers).get("penstock-redriven-from")
                    if letter is not None:
                        found.setdefault(letter.decode(), []).append(record)
            return all([await consumer.position(place) >= ends[place.partition] for place in places])

        await until(read, every_s=0.0, what=f"the end of {lane.requests}")
    return found
