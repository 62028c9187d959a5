"""What the workers of a service say: of an order, and of themselves."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from penstock.producer.control.acknowledgements import Acknowledgements, OnProgress, members_of
from penstock.producer.control.results import Ack, Change, Issued
from penstock.schemas.control.status import WorkerStatus
from penstock.schemas.errors import TransportError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.control.statuses import StatusReader, as_of, last_reports
from penstock.transport.membership import GroupReader

_CONNECT_S: Final = 5.0  # however short the wait


class Reports:
    """Reads the status topic, and asks the group's coordinator who is there. Connects for each call.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        group: the consumer group of the service.
        status_topic: where its workers report.
        timeout_s: bound on each step.
    """

    def __init__(self, client_options: dict[str, Any], group: str, status_topic: str, timeout_s: float) -> None:
        self._options = client_options
        self._group = group
        self._status_topic = status_topic
        self._timeout_s = timeout_s

    async def wait(self, issued: Change, timeout_s: float = 30.0, on_progress: OnProgress | None = None) -> list[Ack]:
        """Wait until each worker has said what became of an order.

        Who is waited for are the members of the group, and where this user may not DESCRIBE it those that report.

        Args:
            issued: what the order gave back.
            timeout_s: after it the acks are returned as they are.
            on_progress: called with each worker's ack when it is first known, and whenever it is another one.

        Returns:
            One for each worker, by name; none where the group has no members.

        Raises:
            ValueError: that was a dry run.
            ConfigurationError: the status topic is missing.
            TransportError: the group could not be looked at, or the status topic not be read.
        """
        if not isinstance(issued, Issued):
            raise ValueError("a dry run gives no order, so there is nothing to wait for")
        within_s = max(_CONNECT_S, min(timeout_s, self._timeout_s))
        deadline = time.monotonic() + timeout_s
        async with self._statuses(within_s) as statuses, ClusterReader(self._options, timeout_s=within_s) as reader:
            group = GroupReader(reader, self._group, timeout_s=within_s)
            acks = Acknowledgements(statuses, group, issued, on_progress)
            return await acks.wait(max(0.0, deadline - time.monotonic()))

    async def members(self) -> list[str]:
        """Return the client ids of the group's members, by name. Raises: TransportError (no answer, or no right)."""
        async with ClusterReader(self._options, timeout_s=self._timeout_s) as reader:
            found = await members_of(GroupReader(reader, self._group, timeout_s=self._timeout_s))
        if found is None:
            raise TransportError(f"this user may not see the group {self._group}: it needs the right DESCRIBE on it")
        return sorted(found)

    async def status(self) -> list[WorkerStatus]:
        """Return the last word of each worker that has spoken in the last minutes, by name.

        The state of one that should have spoken since, and has not, is "gone".

        Raises:
            ConfigurationError: the status topic is missing.
            TransportError: Kafka did not answer in time.
        """
        async with self._statuses(self._timeout_s) as reader:
            reports = await reader.read_to_end(self._timeout_s)
            now_ms = reader.now_ms()
        return sorted((as_of(*said, now_ms) for said in last_reports(reports)), key=lambda status: status.worker)

    async def watch(self) -> AsyncGenerator[WorkerStatus, None]:
        """Yield the last word of each worker, then each word that comes, until the caller has enough.

            async for status in control.watch():
                print(status.worker, status.state, status.epoch)

        Raises:
            As `status`.
        """
        async with self._statuses(self._timeout_s) as reader:
            async for status in reader.watch(self._timeout_s):
                yield status

    @asynccontextmanager
    async def _statuses(self, timeout_s: float) -> AsyncIterator[StatusReader]:
        reader = StatusReader(self._options, self._status_topic)
        try:
            await reader.start(timeout_s)
            yield reader
        finally:
            await reader.close()
