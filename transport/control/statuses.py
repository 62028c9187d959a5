"""Reading the status topic: what each worker said last, and what it says from then on."""

import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final

from penstock.schemas.control.status import INTERVALS_UNTIL_GONE, WorkerStatus, decode_status
from penstock.schemas.errors import ConfigurationError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.control.partition_reader import PartitionReader

GONE: Final = "gone"
"""The state that a worker is given here when it has said nothing for too long."""

_LONGEST_INTERVAL_S: Final = 60.0  # of ControlSettings.report_interval_s
_POLL_S: Final = 0.25
LOOK_BACK_S: Final = INTERVALS_UNTIL_GONE * _LONGEST_INTERVAL_S


@dataclass(frozen=True, slots=True)
class Report:
    """A record of the status topic.

    Attributes:
        worker: the record's key.
        time_ms: the record's time, epoch milliseconds.
        value: not read yet.
    """

    worker: bytes | None
    time_ms: int
    value: bytes | None


def last_reports(reports: Iterable[Report]) -> list[tuple[Report, WorkerStatus]]:
    """Return the last report of each worker that can be read; the others are not even decoded."""
    return _read({report.worker: report for report in reports}.values())


def _read(reports: Iterable[Report]) -> list[tuple[Report, WorkerStatus]]:
    read = [(report, decode_status(report.value)) for report in reports]
    return [(report, status) for report, status in read if status is not None]


def as_of(report: Report, status: WorkerStatus, now_ms: int) -> WorkerStatus:
    """Return the status, with `GONE` as its state where the worker should have said something since."""
    silent_s = (now_ms - report.time_ms) / 1000.0
    if status.state == "stopped" or silent_s <= INTERVALS_UNTIL_GONE * status.interval_s:
        return status
    return status.model_copy(update={"state": GONE})


class StatusReader:
    """Reads the status topic, from `LOOK_BACK_S` ago. For one task at a time. Made inside of an event loop.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: the status topic.
    """

    def __init__(self, client_options: dict[str, Any], topic: str) -> None:
        self._options = client_options
        self._topic = topic
        self._reader = PartitionReader(client_options, topic, _report)
        self._ahead_s = 0.0

    async def start(self, timeout_s: float) -> None:
        """Look whether the topic is there, connect, and find where to begin.

        Raises:
            ConfigurationError: the topic is missing.
            TransportError: Kafka did not answer by the deadline.
        """
        deadline = time.monotonic() + timeout_s
        async with ClusterReader(self._options, timeout_s=timeout_s / 3.0) as reader:
            if not (await reader.describe([self._topic])).topics[self._topic].partitions:
                raise ConfigurationError(
                    f"status topic {self._topic} does not exist, or is not for this user to see.\n"
                    "Is its name right? `penstock topics create` makes a service's topics."
                )
            clock_ms = await reader.controller_clock_ms()
        # Reports carry the broker's time: this machine's clock may be another.
        self._ahead_s = 0.0 if clock_ms is None else time.time() - clock_ms / 1000.0
        await self._reader.start(deadline - time.monotonic())
        begin_ms = self.now_ms() - round(LOOK_BACK_S * 1000)
        self._reader.seek(await self._reader.since(begin_ms, deadline - time.monotonic()))

    async def close(self) -> None:
        """Disconnect."""
        await self._reader.close()

    def now_ms(self) -> int:
        """Return the time by the brokers' clock, epoch milliseconds."""
        return round((time.time() - self._ahead_s) * 1000)

    async def read_to_end(self, timeout_s: float) -> list[Report]:
        """Read what is there now. Raises: TransportError (the end was not reached by the deadline)."""
        deadline = time.monotonic() + timeout_s
        return await self._reader.read_until(await self._reader.end(timeout_s), deadline)

    async def poll(self, timeout_s: float) -> list[Report]:
        """Return what comes next, waiting for it no longer than this. Raises: TransportError."""
        return await self._reader.fetch(timeout_s)

    async def watch(self, timeout_s: float) -> AsyncIterator[WorkerStatus]:
        """Yield the last word of each worker, then each that comes, and `GONE` once for who stays silent.

        Args:
            timeout_s: bound on reading what is there now.

        Raises:
            TransportError: the topic cannot be read.
        """
        live: dict[str, tuple[Report, WorkerStatus]] = {}
        said = last_reports(await self.read_to_end(timeout_s))
        while True:
            for report, status in said:
                live[status.worker] = report, status
                if as_of(report, status, self.now_ms()).state != GONE:
                    yield status
            for worker, (report, status) in list(live.items()):
                now = as_of(report, status, self.now_ms())
                if now.state == GONE:
                    yield now
                if now.state in (GONE, "stopped"):
                    del live[worker]
            said = _read(await self.poll(_POLL_S))


def _report(_: int, record: Any) -> Report:
    return Report(None, 0, None) if record is None else Report(record.key, record.timestamp, record.value)
