"""What became of a command on each worker of a service: judged by what they say, and waited for."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from penstock.producer.control.results import Ack, Issued
from penstock.schemas.control.status import WorkerStatus
from penstock.transport.control.statuses import GONE, StatusReader, as_of, last_reports
from penstock.transport.membership import GroupReader

OnProgress = Callable[[Ack], None]

_POLL_S: Final = 0.2
_READ_S: Final = 5.0  # what has been said already is read, however short the wait
_LOOK_AGAIN_S: Final = 2.0  # whoever has joined or left since


def ack_of(worker: str, status: WorkerStatus | None, offset: int, resource: str) -> Ack:
    """Return what became of the command at an offset on a worker that has said this, or nothing."""
    if status is None or status.state in ("stopped", GONE):  # what it said before its end does not speak for it
        return Ack(worker, "silent")
    if status.epoch < offset:
        return Ack(worker, "pending")
    for refused in status.refused:
        if refused.offset == offset:
            return Ack(worker, "refused", f"{refused.code}: {refused.reason}")
    for failed in status.failed:
        if failed.offset == offset and failed.resource == resource:
            return Ack(worker, "failed", failed.reason)
    return Ack(worker, "pending" if resource in status.pending else "applied")


async def members_of(group: GroupReader) -> set[str] | None:
    """Return the client ids of a group's members; None where this user may not DESCRIBE it. Raises: TransportError."""
    found = await group.describe()
    return None if found.hidden else {member.client_id for member in found.members}


class Acknowledgements:
    """Waits until each member of a group has said what became of a command.

    Args:
        statuses: started, and not read from yet.
        group: the service's.
        issued: the command.
        on_progress: called with each worker's ack when it is first known, and whenever it is another one.
    """

    def __init__(
        self, statuses: StatusReader, group: GroupReader, issued: Issued, on_progress: OnProgress | None = None
    ) -> None:
        self._statuses = statuses
        self._group = group
        self._issued = issued
        self._on_progress = on_progress
        self._said: dict[str, WorkerStatus] = {}
        self._told: dict[str, Ack] = {}
        self._members: set[str] | None = set()

    async def wait(self, timeout_s: float) -> list[Ack]:
        """Return the ack of each member, by name: all of them settled, or as they are at the deadline.

        Raises:
            TransportError: the group could not be looked at, or the status topic not be read.
        """
        deadline = time.monotonic() + timeout_s
        reports = await self._statuses.read_to_end(max(timeout_s, _READ_S))
        looked = float("-inf")
        while True:
            now_ms = self._statuses.now_ms()
            # Who has gone before this wait began is told by its report's age; who goes meanwhile leaves the group.
            self._said |= {each.worker: as_of(report, each, now_ms) for report, each in last_reports(reports)}
            over = time.monotonic() >= deadline
            if over or time.monotonic() - looked >= _LOOK_AGAIN_S or self._settled():
                self._members, looked = await members_of(self._group), time.monotonic()
            acks = self._tell()
            if over or self._settled():
                return acks
            reports = await self._statuses.poll(min(_POLL_S, max(0.0, deadline - time.monotonic())))

    def _settled(self) -> bool:
        return all(ack.settled for ack in self._acks())

    def _acks(self) -> list[Ack]:
        resource = str(self._issued.resource)
        return [ack_of(each, self._said.get(each), self._issued.offset, resource) for each in self._expected()]

    def _expected(self) -> Iterable[str]:
        if self._members is not None:
            return sorted(self._members)
        return sorted(worker for worker, said in self._said.items() if said.state not in ("stopped", GONE))

    def _tell(self) -> list[Ack]:
        acks = self._acks()
        told: Mapping[str, Ack] = self._told
        for ack in acks:
            if told.get(ack.worker) != ack and self._on_progress is not None:
                self._on_progress(ack)
        self._told = {ack.worker: ack for ack in acks}
        return acks
