"""What Kafka has lost of a partition: said loudly, and passed over.

A fetch from an offset that the log does not have any more, or not yet, ends in OffsetOutOfRange, and aiokafka would go
to the log's beginning or end by itself without a word. Here it is made to raise instead (`member.py`), and this says
what is missing.

- The log begins after it: the broker has removed requests before they were served, by its retention or by order.
- The log ends before it: what had been written was lost, as by an unclean leader election, or the topic was made anew.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from penstock.consumer.progress import PartitionProgress
from penstock.core.metrics import Metrics
from penstock.schemas.logger import Logger

log = Logger(__name__)

_REMOVED: Final = "removed"
_CUT_OFF: Final = "cut off"


class Loss(NamedTuple):
    """Offsets that are gone.

    Attributes:
        why: `removed` from the log's beginning, or `cut off` from its end.
        start, stop: the offsets, [start, stop).
    """

    why: str
    start: int
    stop: int


def loss_of(position: int, beginning: int, end: int) -> Loss | None:
    """Return what is missing of a log for somebody who is to read on at a position, or None."""
    if position < beginning:
        return Loss(_REMOVED, position, beginning)
    if position > end:
        return Loss(_CUT_OFF, end, position)
    return None


class LostRequests:
    """Reports what is lost, and goes on behind it.

    Args:
        consumer: which reads, and is told where to go on.
        reopen: called with a partition whose log ends at an offset now: what was unfinished before that is read again,
            and what is in flight of it reports to nobody any more.
        metrics: where lost requests are counted.
        timeout_s: bound on asking where the log begins and ends.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        reopen: Callable[[TopicPartition, int], None],
        metrics: Metrics,
        *,
        timeout_s: float,
    ) -> None:
        self._consumer = consumer
        self._reopen = reopen
        self._metrics = metrics
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        return "<LostRequests>"

    async def pass_over(
        self, places: Iterable[TopicPartition], opened: Mapping[TopicPartition, PartitionProgress]
    ) -> None:
        """Find out what open partitions have lost, and go on behind it.

        Raises:
            KafkaError, TimeoutError: Kafka did not say where the log begins and ends.
        """
        asked = [place for place in places if place in opened]
        async with asyncio.timeout(self._timeout_s):
            beginnings = await self._consumer.beginning_offsets(asked) if asked else {}
            ends = await self._consumer.end_offsets(asked) if asked else {}
        for place in asked:
            progress = opened[place]
            if progress.closed or progress.position is None or place not in self._consumer.assignment():
                continue
            loss = loss_of(progress.position, beginnings[place], ends[place])
            if loss is not None:
                self._report(place, loss)
            if loss is not None and loss.why == _CUT_OFF:
                self._reopen(place, loss.start)  # these offsets will be those of other records
                continue
            if loss is not None:
                progress.finish(loss.start, loss.stop)
                progress.skip_to(loss.stop)
            self._consumer.seek(place, progress.position)

    def _report(self, place: TopicPartition, loss: Loss) -> None:
        self._metrics.lost.labels(loss.why).inc(loss.stop - loss.start)
        told = {
            "topic": place.topic,
            "partition": place.partition,
            "from_offset": loss.start,
            "to_offset": loss.stop - 1,
            "count": loss.stop - loss.start,
        }
        if loss.why == _REMOVED:
            log.error("requests were removed from the topic before they were served; check its retention", **told)
        else:
            log.error(
                "the topic ends before what had been read of it; Kafka has lost records, or it was made anew", **told
            )
