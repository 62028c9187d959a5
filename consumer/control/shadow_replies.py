"""Where the answers of shadows go: topics of their own, by a producer of their own, and never at any price.

Nothing waits for them. What Kafka has not taken is bounded in bytes, and what is over the bound is dropped and counted;
so is everything for a while when the topic is not there, or refuses a record. No offset depends on them.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.consumer.control.shadow_copies import Answer
from penstock.consumer.startup import ensure_topics
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.parcels import Parcel
from penstock.transport.publisher import RecordPublisher
from penstock.transport.topics import TopicDirectory

log = Logger(__name__)

_OPEN_S: Final = 30.0
_AGAIN_S: Final = 10.0  # between two attempts to get a topic
_OVERHEAD: Final = 1024  # bytes of a record's key and headers, and of the batch around it

OnDropped = Callable[[int], object]
_Token = tuple[str, int, OnDropped]  # topic, bytes, and whom to tell that a record was dropped


class ShadowReplies:
    """Publishes answers of shadows.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        directory: which topics there are; started already.
        max_reply_bytes: no value is larger.
        max_bytes: of all records whose acknowledgement is awaited. Some are taken in any case when there are none.
    """

    def __init__(
        self, client_options: dict[str, Any], directory: TopicDirectory, *, max_reply_bytes: int, max_bytes: int
    ) -> None:
        self._options = client_options
        self._directory = directory
        self._max_bytes = max_bytes
        self._bytes = 0
        self._publisher = RecordPublisher(
            client_options,
            on_acked=self._acked,
            on_refused=self._refused,
            max_batch_bytes=max_reply_bytes + _OVERHEAD,
        )
        self._connected = False
        self._closed = False
        self._one_at_a_time = asyncio.Lock()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._ready: set[str] = set()
        self._again_at: dict[str, float] = {}  # monotonic seconds, of topics that could not be had

    def __repr__(self) -> str:
        return f"<ShadowReplies {self._publisher!r} topics={sorted(self._ready)}>"

    def open(self, topic: str) -> None:
        """Begin to look a topic up, and to create it where it is missing, unless that is done or was tried just now."""
        known = topic in self._ready or topic in self._opening
        if not known and not self._closed and time.monotonic() >= self._again_at.get(topic, 0.0):
            self._opening[topic] = asyncio.get_running_loop().create_task(self._open(topic), name="penstock-shadow")

    def was_tried(self, topic: str) -> bool:
        """Tell whether it is known by now if a topic can be had: before that, there is no use in answers."""
        return topic in self._ready or topic in self._again_at

    def add(self, answers: Sequence[Answer], on_dropped: OnDropped) -> None:
        """Publish answers, or drop them.

        Args:
            answers: in order.
            on_dropped: called with the number of records that were dropped, now or later.
        """
        for (topic, partition), records, sizes in answers:
            if topic not in self._ready:
                self.open(topic)
            count, size = self._directory.partitions(topic), sum(sizes)
            full = self._bytes > 0 and self._bytes + size > self._max_bytes
            if topic not in self._ready or not count or self._closed or full:
                on_dropped(len(sizes))
                continue
            self._bytes += size
            tokens: list[_Token] = [(topic, each, on_dropped) for each in sizes]
            self._publisher.add_parcel(topic, partition % count, Parcel(records, tokens))

    async def close(self, timeout_s: float) -> None:
        """Publish what is there and disconnect, by the deadline."""
        self._closed = True
        for task in list(self._opening.values()):
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        await self._publisher.close(timeout_s)
        if self._publisher.pending:
            log.warning("answers of shadows given up", records=self._publisher.pending)

    async def _open(self, topic: str) -> None:
        try:
            async with asyncio.timeout(_OPEN_S), self._one_at_a_time:
                await ensure_topics(self._options, self._directory, (topic,))
                if not self._connected:
                    await self._publisher.start()
                    self._connected = True
        except (TransportError, TimeoutError) as error:
            log.warning("answers of shadows are dropped: no topic for them", topic=topic, error=str(error))
            self._shut(topic)
        else:
            self._ready.add(topic)
        finally:
            del self._opening[topic]

    def _shut(self, topic: str) -> None:
        self._ready.discard(topic)
        self._again_at[topic] = time.monotonic() + _AGAIN_S

    def _acked(self, tokens: Sequence[_Token], _: float) -> None:
        self._bytes -= sum([size for _, size, _ in tokens])

    def _refused(self, token: _Token, _: Exception) -> None:
        topic, size, on_dropped = token
        self._bytes -= size
        on_dropped(1)
        self._shut(topic)  # what Kafka refuses costs a new producer each time
