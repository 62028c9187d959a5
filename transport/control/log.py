"""Reading the control topic: all that was asked of a service, in order, or what came after a snapshot of it.

The first reading looks for a snapshot among the newest records, and begins behind what is folded into it; without one
it begins at the beginning. Expiry is judged by a record's time, so only one that the broker has set counts: a record
that was written while the topic kept its senders' times is given a time at which every command has expired.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

from penstock.schemas.control.fold import ControlRecord, ControlState, Trust
from penstock.schemas.control.refusals import CommandRefused
from penstock.schemas.control.snapshot import is_snapshot, read_snapshot
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.control.partition_reader import PartitionReader
from penstock.transport.control.topics import check_control_topic

log = Logger(__name__)

NOT_BY_THE_BROKER_MS: Final = 2**63 - 1
"""The time of a record whose time its sender has set: after the expiry of any command."""

_NEWEST: Final = 2500  # offsets in which a snapshot is looked for: one is due each 1,000 commands
_APPENDED: Final = 1  # the timestamp type LogAppendTime


class ControlLog:
    """The commands of a service. For one task at a time: records are given out once. Made inside of an event loop.

        control = ControlLog(options, "iris-control", trust)
        await control.start(30.0)
        records = await control.read_to_end(30.0)
        if control.snapshot is not None:
            fold.restore(control.snapshot)
        for record in records:
            fold.apply(record)

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: the control topic.
        trust: whose snapshots are good ones; None reads everything.

    Attributes:
        snapshot: what to restore before the first records are applied; None where they are to be applied to nothing.
        beginning: the first offset that the topic had at the first reading; commands before it are lost.
    """

    def __init__(self, client_options: dict[str, Any], topic: str, trust: Trust | None = None) -> None:
        self._options = client_options
        self._topic = topic
        self._trust = trust
        self._reader = PartitionReader(client_options, topic, self._record)
        self._warned = False
        self.snapshot: ControlState | None = None
        self.beginning = 0

    def __repr__(self) -> str:
        return f"<ControlLog {self._topic} at {self._reader.position}>"

    async def start(self, timeout_s: float) -> None:
        """Look at the topic, and connect.

        Raises:
            ConfigurationError: the topic is missing, or cannot hold commands.
            TransportError: Kafka did not answer by the deadline.
        """
        deadline = time.monotonic() + timeout_s
        async with ClusterReader(self._options, timeout_s=timeout_s / 3.0) as reader:
            await check_control_topic(reader, self._topic)
        await self._reader.start(deadline - time.monotonic())

    async def close(self) -> None:
        """Disconnect."""
        await self._reader.close()

    async def read_to_end(self, timeout_s: float) -> list[ControlRecord]:
        """Read to where the topic ends at the time of the call, or a little further.

        The first time these are all records, or those after `snapshot`; later those after what was read before.

        Raises:
            ConfigurationError: the topic was made anew, or cut, before all of it was read.
            TransportError: the end was not reached by the deadline; nothing counts as read then.
        """
        deadline = time.monotonic() + timeout_s
        began = self._reader.position
        try:
            end = await self._reader.end(timeout_s)
            if began >= 0:
                return await self._reader.read_until(end, deadline)
            self.beginning = await self._reader.beginning(deadline - time.monotonic())
            return await self._read_first(end, deadline)
        except BaseException:  # also when it is given up
            self._back_to(began)
            raise

    async def poll(self, timeout_s: float) -> list[ControlRecord]:
        """Return what comes next, waiting for it no longer than this; empty where nothing came.

        Raises:
            ConfigurationError: the topic was made anew, or cut, before all of it was read.
            TransportError: it cannot be read now, or was not read to its end before.
        """
        if self._reader.position < 0:
            raise TransportError(f"{self._topic} has to be read to its end first")
        return await self._reader.fetch(timeout_s)

    async def _read_first(self, end: int, deadline: float) -> list[ControlRecord]:
        records: list[ControlRecord] = []
        near_the_end = max(self.beginning, end - _NEWEST) if self._trust else self.beginning
        for start in dict.fromkeys((near_the_end, self.beginning)):
            self._reader.seek(start)
            records = await self._reader.read_until(end, deadline)
            self.snapshot = self._newest_snapshot(records)
            if self.snapshot is not None:
                after = self.snapshot.epoch + 1
                if after < start:
                    self._reader.seek(after)
                    records = await self._reader.read_until(end, deadline)
                return [record for record in records if record.offset >= after]
        if self.beginning > 0:
            log.error(
                "commands are missing at the beginning of the control topic: look at what is deployed, "
                "and ask again for what is not",
                topic=self._topic,
                first_offset=self.beginning,
            )
        return records

    def _newest_snapshot(self, records: Sequence[ControlRecord]) -> ControlState | None:
        """Return the newest state that may be trusted, and after which no record is missing."""
        if self._trust is None:
            return None
        for record in filter(is_snapshot, reversed(records)):
            try:
                found = read_snapshot(record, self._trust)
            except CommandRefused as refused:
                log.warning("snapshot passed over", topic=self._topic, offset=record.offset, why=str(refused))
                continue
            if found.epoch + 1 >= self.beginning:
                return found
        return None

    def _record(self, offset: int, record: Any) -> ControlRecord:
        if record is None:  # without a value it is refused by every worker
            return ControlRecord(offset, NOT_BY_THE_BROKER_MS, None, None, ())
        if record.timestamp_type == _APPENDED:
            return ControlRecord(offset, record.timestamp, record.key, record.value, record.headers)
        if not self._warned:
            self._warned = True
            log.error(
                "commands without the broker's own time count as expired: set message.timestamp.type of the control "
                "topic to LogAppendTime, and give them again",
                topic=self._topic,
                offset=offset,
            )
        return ControlRecord(offset, NOT_BY_THE_BROKER_MS, record.key, record.value, record.headers)

    def _back_to(self, position: int) -> None:
        # What was read and not given out must be read again.
        if position >= 0:
            self._reader.seek(position)
        self._reader.position = position
