"""The gauge that says how many records wait in each partition that this worker serves."""

from collections.abc import Callable, Mapping

from aiokafka.structs import TopicPartition

from penstock.consumer.progress import PartitionProgress
from penstock.core.metrics import Metrics


class LagGauges:
    """Shows the lag of partitions in the metrics; of one that has gone it speaks no more.

    Args:
        metrics: where.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._shown: set[tuple[str, str]] = set()

    def show(
        self, served: Mapping[TopicPartition, PartitionProgress], end_of: Callable[[TopicPartition], int | None]
    ) -> None:
        """Renew the gauge; what stays is never taken away meanwhile, for the page may be read at any moment.

        Args:
            served: the partitions, and how far each is finished.
            end_of: returns where a partition ends, or None where that is not known yet.
        """
        shown = set()
        for place, progress in served.items():
            end = end_of(place)
            if end is not None and progress.next_offset is not None:
                labels = place.topic, str(place.partition)
                self._metrics.lag.labels(*labels).set(max(0, end - progress.next_offset))
                shown.add(labels)
        for gone in self._shown - shown:
            self._metrics.lag.remove(*gone)
        self._shown = shown
