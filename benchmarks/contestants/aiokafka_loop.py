"""The loop of aiokafka's documentation: a batch per partition, each reply sent, acknowledgements and commit awaited.

Reading and committing as "Manual vs automatic committing" has it (https://aiokafka.readthedocs.io/en/stable/consumer.html):
`getmany`, a partition's messages at a time, `commit` of that partition after them. Writing as "Message buffering" has
it (https://aiokafka.readthedocs.io/en/stable/producer.html): `send` of each, and its future awaited. Idempotent, as
Penstock's producer is; checksums are checked, which is the default. The reply's partition is given, which saves the
hashing of its key.
"""

import asyncio
import signal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.contestants.answering import Answering
from benchmarks.contestants.options import Options, read_options


async def serve(options: Options) -> None:
    """Serve until SIGTERM."""
    answering, stopping = Answering(options), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    consumer = AIOKafkaConsumer(
        options.requests,
        bootstrap_servers=options.bootstrap,
        group_id=options.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=options.bootstrap, enable_idempotence=True)
    await consumer.start()
    await producer.start()
    while not stopping.is_set():
        found = await consumer.getmany(timeout_ms=200)
        for place, messages in found.items():
            values = answering.answer([message.value for message in messages])
            sent = [
                await producer.send(options.replies, value, message.key, partition=place.partition)
                for message, value in zip(messages, values, strict=True)
            ]
            await asyncio.gather(*sent)
            await consumer.commit({place: messages[-1].offset + 1})
    await producer.stop()
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(serve(read_options(__doc__)))
