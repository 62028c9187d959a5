"""One group of a number of members on a number of partitions: what it takes, and how it rebalances."""

import asyncio
import threading
import time
from typing import Any

from benchmarks.studies.flow import Flow, percentiles_ms
from benchmarks.studies.membership_events import Event, join_and_stop, kill
from benchmarks.studies.open_loop import OpenLoop
from benchmarks.studies.processes import Usage, tree, usage
from benchmarks.studies.service import Service
from benchmarks.studies.stage import Stage

PER_SECOND = 500  # moderate: it leaves cores free for the processes that start
_IDLE_S = 2.0
_SETTLE_S = 1.0
_WARM_UP_S = 2.0
_FLOW_S = 3.0
_LONGEST_S = 600.0  # of a flow; it is ended by hand


def estimated_s(members: int, rounds: int) -> float:
    """Return about how long a group takes."""
    events_s = 4.5 + (4.0 + 0.1 * members if members > 1 else 0.0)
    return 3.0 + 0.45 * members + _IDLE_S + _WARM_UP_S + 2 * _SETTLE_S + _FLOW_S + rounds * events_s


async def cell(on: Stage, members: int, partitions: int, rounds: int) -> dict[str, Any]:
    """Start a group, look at it idle and at work, change its members while requests flow, and return the figures."""
    name = f"group-{partitions}-{members}"
    lane = await on.lane(name, partitions)
    wall = time.time()
    async with Service(name, on.folder, on.bootstrap, lane, processes=members) as service:
        opened = await service.until(service.all_open_at, "every process has its partitions")
        started = await _used(service)
        await asyncio.sleep(_SETTLE_S)
        idle_cores = await _cores(service, _IDLE_S)
        with OpenLoop(on.bootstrap, on.workload, lane) as loop:
            await asyncio.to_thread(loop.run, PER_SECOND, _WARM_UP_S)  # the first write to a partition takes longer
            enough = threading.Event()
            flowing = asyncio.create_task(asyncio.to_thread(loop.run, PER_SECOND, _LONGEST_S, enough.is_set))
            await asyncio.sleep(_SETTLE_S)
            calm = time.monotonic()
            flow_cores = await _cores(service, _FLOW_S)
            calm_end, held = time.monotonic(), await _used(service)
            events = await _changes(on, service, rounds)
            enough.set()
            flow = await flowing
    return {
        "members": members,
        "partitions": partitions,
        "processes": members + (members > 1),
        "start_s": opened - wall,
        "start_cpu_s": started.cpu_s,
        "idle_cores": idle_cores,
        "flow_cores": flow_cores,
        "rss_bytes": held.rss_bytes,
        "pss_bytes": held.pss_bytes,
        **_answers(flow, calm, calm_end),
        "events": [event.figures(flow) for event in events],
    }


def _answers(flow: Flow, start: float, end: float) -> dict[str, Any]:
    """Return what became of all requests, and the latency of those of a calm time."""
    p50, p99 = percentiles_ms(flow.between(start, end), 50, 99)
    return {
        "requests": len(flow.due),
        "unanswered": flow.unanswered,
        "doubles": flow.doubles,
        "wrong": flow.wrong,
        "late_p99_ms": flow.late_p99_s * 1000,
        "calm_p50_ms": p50,
        "calm_p99_ms": p99,
    }


async def _changes(on: Stage, service: Service, rounds: int) -> list[Event]:
    """Let members come and go. A single process has no supervisor, so that none is killed there."""
    events: list[Event] = []
    for number in range(rounds):
        extra = Service(f"{service.name}-extra-{number}", on.folder, on.bootstrap, service.lane)
        events += await join_and_stop(service, extra)
        if service.processes > 1:
            # Another one each time: the supervisor pauses before it starts one that does not live long.
            events.append(await kill(service, (service.processes - 1 - number) % service.processes))
    return events


async def _used(service: Service) -> Usage:
    return await asyncio.to_thread(lambda: usage(tree(service.pid)))


async def _cores(service: Service, seconds: float) -> float:
    """Return how many cores its processes keep busy on average."""
    before, start = await _used(service), time.monotonic()
    await asyncio.sleep(seconds)
    after = await _used(service)
    return (after.cpu_s - before.cpu_s) / (time.monotonic() - start)
