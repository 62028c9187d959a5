"""The group's member: how the worker reads, in aiokafka's words."""

from typing import Any, Final

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from penstock.consumer.settings import WorkerSettings
from penstock.transport.record_consumer import RecordConsumer

REBALANCE_TIMEOUT_S: Final = 60.0  # how long the group waits for a member that is draining
# Of one answer. It is in memory three times while it is taken apart, and aiokafka's 50 MiB come with many partitions.
_FETCH_BYTES: Final = 16 * 1024 * 1024


def member(worker: WorkerSettings, client_options: dict[str, Any]) -> RecordConsumer:
    """Make the group's member; it joins when it subscribes."""
    return RecordConsumer(
        **client_options,
        group_id=worker.group_id,
        enable_auto_commit=False,
        # Where a group without a commit begins is `Assignment`'s to say. An offset that the log does not have is never
        # passed over without a word: see `lost_requests.py`.
        auto_offset_reset="none",
        check_crcs=worker.check_crcs,
        max_batch_bytes=worker.max_buffered_bytes,  # what is larger could not be held anyway
        fetch_max_bytes=_FETCH_BYTES,
        # A request that its sender took back by aborting its transaction is none.
        isolation_level="read_committed",
        session_timeout_ms=int(worker.session_timeout_s * 1000),
        heartbeat_interval_ms=int(worker.heartbeat_interval_s * 1000),
        rebalance_timeout_ms=int(REBALANCE_TIMEOUT_S * 1000),
        # One assignor: aiokafka sends a join request for each. Its sticky one has open bugs.
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
