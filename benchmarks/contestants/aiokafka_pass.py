"""A limit: aiokafka reads and writes the same bytes with its quickest calls, and nothing else happens.

`create_batch` and `send_batch` ("Direct batch control", https://aiokafka.readthedocs.io/en/stable/producer.html), eight
batches in flight, commits in a task of their own.
"""

import asyncio
import contextlib
import signal
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.contestants.options import BATCH, Options, read_options

_IN_FLIGHT = 8
_COMMIT_S = 0.1


class Pass:
    """Passes records on. What is committed has been acknowledged."""

    def __init__(self, options: Options) -> None:
        self._replies = options.replies
        self.consumer = AIOKafkaConsumer(
            options.requests,
            bootstrap_servers=options.bootstrap,
            group_id=options.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self.producer = AIOKafkaProducer(
            bootstrap_servers=options.bootstrap, enable_idempotence=True, max_batch_size=1 << 20
        )
        self._places = asyncio.Semaphore(_IN_FLIGHT)
        self._sending = set[asyncio.Task[None]]()
        self._done = dict[Any, int]()

    async def take(self) -> None:
        """Take what is there and send it; return before it is acknowledged."""
        found = await self.consumer.getmany(timeout_ms=200, max_records=BATCH)
        for place, messages in found.items():
            await self._send(place, messages)

    async def _send(self, place: Any, messages: list[Any]) -> None:
        batch = self.producer.create_batch()
        for message in messages:
            if batch.append(key=message.key, value=message.value, timestamp=None) is None:
                await self._submit(batch, place, message.offset)
                batch = self.producer.create_batch()
                batch.append(key=message.key, value=message.value, timestamp=None)
        await self._submit(batch, place, messages[-1].offset + 1)

    async def _submit(self, batch: Any, place: Any, following: int) -> None:
        await self._places.acquire()
        sent = await self.producer.send_batch(batch, self._replies, partition=place.partition)
        task = asyncio.create_task(self._await(sent, place, following))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _await(self, sent: Any, place: Any, following: int) -> None:
        try:
            await sent
            self._done[place] = max(following, self._done.get(place, 0))
        finally:
            self._places.release()

    async def commit(self) -> None:
        """Commit what has been acknowledged since the last time."""
        if self._done:
            done, self._done = self._done, {}
            await self.consumer.commit(done)

    async def commit_behind(self) -> None:
        """Commit from time to time, for ever."""
        while True:
            await asyncio.sleep(_COMMIT_S)
            await self.commit()

    async def drain(self) -> None:
        """Wait for what is on its way."""
        await asyncio.gather(*self._sending)


async def serve(options: Options) -> None:
    """Pass records on until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    passing = Pass(options)
    await passing.consumer.start()
    await passing.producer.start()
    committing = asyncio.create_task(passing.commit_behind())
    while not stopping.is_set():
        await passing.take()
    committing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await committing
    await passing.drain()
    await passing.commit()
    await passing.producer.stop()
    await passing.consumer.stop()


if __name__ == "__main__":
    asyncio.run(serve(read_options(__doc__)))
