"""FastStream: a batch subscriber, and `publish_batch` of its replies.

Batches as https://faststream.ag2.ai/latest/kafka/Subscriber/batch_subscriber/ has it, a key for each message of a
batch by `KafkaPublishMessage` as https://faststream.ag2.ai/latest/kafka/Publisher/batch_publisher/ has it, and
`AckPolicy.ACK` for at least once (https://faststream.ag2.ai/latest/kafka/ack/). FastStream decodes the bodies, with
orjson, which it takes where it is installed. In its favour: types are not checked (`apply_types=False`), nothing is
logged, 2,000 records share a commit, and the producer's batches are large enough for as many replies, which its
default of 16 kB is not. Idempotent, as Penstock's producer is; checksums are checked, which is aiokafka's default.
"""

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream  # type: ignore[import-not-found]
from faststream.kafka import KafkaBroker, KafkaPublishMessage  # type: ignore[import-not-found]

from benchmarks.contestants.answering import Answering
from benchmarks.contestants.options import Options, read_options

_BATCH = 2000


def application(options: Options) -> FastStream:
    """Return the application: one broker, one subscriber."""
    answering = Answering(options)
    answer = answering.answer if options.raw else answering.answer_bodies
    broker = KafkaBroker(
        options.bootstrap, enable_idempotence=True, max_batch_size=1 << 20, logger=None, apply_types=False
    )

    @broker.subscriber(
        options.requests,
        batch=True,
        max_records=_BATCH,
        group_id=options.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
    )
    async def serve(bodies: list[Any]) -> None:
        records = broker.context.get_local("message").raw_message
        replies = [
            KafkaPublishMessage(value, key=record.key) for value, record in zip(answer(bodies), records, strict=True)
        ]
        # One batch of Kafka goes to one partition: that of the first request.
        await broker.publish_batch(*replies, topic=options.replies, partition=records[0].partition)

    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(application(read_options(__doc__)).run())
