"""What the transactions of a partition ask for, and whom they tell what became of outcomes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.consumer.progress import PartitionProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCalls:
    """What a lane asks for, and whom it tells.

    Attributes:
        acked: called with requests whose outcomes have committed, and the seconds since their transaction began.
        refused: called with a request and Kafka's error; may add another outcome for it.
        dropped: called with requests of a partition that is this worker's no more.
        lost: called with the progress of a partition that another worker has.
        is_member: tells whether this worker still belongs to its group.
        is_gone: tells whether a partition is not there, by a cluster that answers.
        committed: returns the committed state of partitions, by a deadline in seconds.
    """

    acked: Callable[[Sequence[Any], float], None]
    refused: Callable[[Any, Exception], None]
    dropped: Callable[[Sequence[Any]], None]
    lost: Callable[[PartitionProgress], None]
    is_member: Callable[[], Awaitable[bool]]
    is_gone: Callable[[TopicPartition], Awaitable[bool]]
    committed: Callable[[list[TopicPartition], float], Awaitable[dict[TopicPartition, OffsetAndMetadata]]]
