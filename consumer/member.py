"""The group's member: how the worker reads, in aiokafka's words."""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from penstock.consumer.settings import WorkerSettings
from penstock.transport.record_consumer import RecordConsumer

_REBALANCE_TIMEOUT_S: Final = 60.0  # how long the group waits for a member that is draining
# Of one answer. It is in memory three times while it is taken apart, and aiokafka's 50 MiB come with many partitions.
_FETCH_BYTES: Final = 16 * 1024 * 1024


def member(worker: WorkerSettings, client_options: dict[str, Any]) -> AIOKafkaConsumer:
    """Make the group's member; it joins when it subscribes."""
    return RecordConsumer(
        **client_options,
        group_id=worker.group_id,
        enable_auto_commit=False,
        auto_offset_reset=worker.auto_offset_reset,
        check_crcs=worker.check_crcs,
        fetch_max_bytes=_FETCH_BYTES,
        # A request that its sender took back by aborting its transaction is none.
        isolation_level="read_committed",
        session_timeout_ms=int(worker.session_timeout_s * 1000),
        heartbeat_interval_ms=int(worker.heartbeat_interval_s * 1000),
        rebalance_timeout_ms=int(_REBALANCE_TIMEOUT_S * 1000),
        # One assignor: aiokafka sends a join request for each. Its sticky one has open bugs.
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
