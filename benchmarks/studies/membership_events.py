"""What a group goes through while requests flow: a member comes, a member goes, a member is killed.

Times of the group come from the logs of its members, which tell to the microsecond when partitions were opened; gaps
come from the replies.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass

from benchmarks.studies.flow import Flow, longest_gap_s, longest_wait_s
from benchmarks.studies.openings import all_open_at, epoch_s
from benchmarks.studies.service import Service

JOIN, STOP, KILL = "join", "stop", "kill"
_AFTER_S = 0.7  # looked at beyond the opening: replies come a little later


@dataclass(frozen=True, slots=True)
class Event:
    """One change of the group's members.

    Attributes:
        kind: join, stop (SIGTERM) or kill (SIGKILL).
        start, end: what is looked at of the flow, monotonic seconds.
        open_s: from the cause until every partition was open again. The cause is the new process' log line that it
            joins, or the signal.
        whole_s: the same until all is as it was: for a join from the start of the process, for a kill until the process
            that the supervisor starts instead has its share.
    """

    kind: str
    start: float
    end: float
    open_s: float
    whole_s: float

    def figures(self, flow: Flow) -> dict[str, float | str]:
        """Return the event and what became of requests meanwhile; times in seconds."""
        return {
            "kind": self.kind,
            "open_s": self.open_s,
            "whole_s": self.whole_s,
            "gap_s": longest_gap_s(flow.came, self.start, self.end),
            "wait_s": longest_wait_s(flow.between(self.start, self.end)),
        }


async def join_and_stop(service: Service, extra: Service) -> list[Event]:
    """Let one more worker, not started yet, join the group, and stop it by SIGTERM."""
    start, wall = time.monotonic(), time.time()
    async with extra:
        members = [*service.members, *extra.members]

        def joined() -> float | None:
            return all_open_at([*service.openings(), *extra.openings()], members, service.lane.partitions, wall)

        opened = await extra.until(joined, "the group has taken the new member in")
        asked = max(epoch_s(line) for line in extra.lines() if line.get("event") == "worker started")
        await asyncio.sleep(_AFTER_S)
        events = [Event(JOIN, start + (asked - wall), time.monotonic(), opened - asked, opened - wall)]
        start, wall = time.monotonic(), time.time()
        stopping = asyncio.create_task(extra.stop())
        opened = await _open_again(service, wall)
        await stopping
    await asyncio.sleep(_AFTER_S)
    return [*events, Event(STOP, start, time.monotonic(), opened - wall, opened - wall)]


async def kill(service: Service, number: int) -> Event:
    """Kill one child of a supervised service, and wait until another stands in its place."""
    start, wall = time.monotonic(), time.time()
    os.kill(service.children()[number], signal.SIGKILL)
    others = [member for member in service.members if not member.endswith(f"/{number}")]

    def survived() -> float | None:
        return all_open_at(service.openings(), others, service.lane.partitions, wall)

    opened = await service.until(survived, "the others have the partitions of the dead")
    whole = await _open_again(service, wall)
    await asyncio.sleep(_AFTER_S)
    return Event(KILL, start, time.monotonic(), opened - wall, whole - wall)


async def _open_again(service: Service, after: float) -> float:
    return await service.until(lambda: service.all_open_at(after), "every partition is open again")
