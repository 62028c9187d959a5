"""How outcomes and offsets get to Kafka: at least once, or exactly once.

at least once   replies, then commits behind them: a RecordPublisher, CommittedOffsets and a Committer
exactly once    both in one transaction: Transacting in the place of all three
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from penstock.consumer.committer import Committer
from penstock.consumer.exactly_once.transacting import Transacting
from penstock.consumer.outbox import BATCH_OVERHEAD
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.settings import EmbeddedSettings
from penstock.core.metrics import Metrics
from penstock.transport.group import CommittedOffsets
from penstock.transport.transactions.client import Membership


class Delivery(NamedTuple):
    """Who does what.

    Attributes:
        committed: reads where the group is, before a partition is opened.
        committer: commits where it gets to.
        transacting: writes outcomes; None where a publisher of the outbox's own does.
    """

    committed: CommittedOffsets | Transacting
    committer: Committer | Transacting
    transacting: Transacting | None

    def after_closing(self) -> None:
        """Forget what was to be committed of partitions that are closed; `progress` alone does that at least once."""
        if self.transacting is not None:
            self.transacting.forget_closed()


def delivery_of(
    settings: EmbeddedSettings,
    client_options: dict[str, Any],
    consumer: AIOKafkaConsumer,
    partitions: Callable[[], Mapping[TopicPartition, PartitionProgress]],
    metrics: Metrics,
) -> Delivery:
    """Make what `worker.delivery` asks for.

    Args:
        settings: of the whole service.
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        consumer: the group's member.
        partitions: returns the open partitions; those of an earlier assignment are not among them any more.
        metrics: where commits and transactions are counted.
    """
    worker = settings.worker
    if worker.delivery == "exactly-once":
        transacting = Transacting(
            client_options,
            worker.group_id,
            partitions=partitions,
            membership=lambda: _membership(consumer),
            rejoin=lambda: _rejoin(consumer),
            metrics=metrics,
            max_batch_bytes=worker.max_reply_bytes + BATCH_OVERHEAD,
            interval_s=worker.commit_interval_s,
            transaction_timeout_s=worker.transaction_timeout_s,
            request_timeout_s=settings.kafka.request_timeout_s,
        )
        return Delivery(transacting, transacting, transacting)
    committer = Committer(
        consumer,
        partitions,
        metrics,
        interval_s=worker.commit_interval_s,
        timeout_s=max(1.0, worker.drain_timeout_s),
    )
    return Delivery(CommittedOffsets(client_options, worker.group_id), committer, None)


def _membership(consumer: AIOKafkaConsumer) -> Membership:
    """Return who a consumer is by what its group's coordinator said last; aiokafka has no public name for that."""
    return Membership(consumer._coordinator.generation, consumer._coordinator.member_id)


def _rejoin(consumer: AIOKafkaConsumer) -> None:
    """Have a consumer ask its group for partitions anew; aiokafka has no public name for that either."""
    consumer._coordinator.request_rejoin()
