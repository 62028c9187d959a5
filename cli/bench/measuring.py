"""Sends one load, and measures it."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

from penstock.cli.bench.guard import Guard
from penstock.cli.bench.load import Ending, Figures, Load, figures_of
from penstock.cli.bench.recorder import Recorder
from penstock.cli.bench.schedule import Schedule
from penstock.cli.bench.traffic import Traffic
from penstock.cli.figures import duration

_WATCH_S: Final = 0.1
_SHOW_S: Final = 0.5
_LEAD_S: Final = 0.02  # from deciding to begin to the first request
_TOO_LATE_S: Final = 2.0  # behind the schedule: this machine will not catch up
_CATCH_UP: Final = 32  # due times at once: a generator that is late must not be busy with its own loop

Show = Callable[["Measuring"], Awaitable[None]]


class Measuring:
    """One load on its way.

    Args:
        traffic: started, with requests in use.
        load: what to send.
        guard: what ends it early.

    Attributes:
        load: what is sent.
        recorder: what has been measured so far.
        stopped: why it ended early; empty where it did not.
        outrun: it ended because the generator could not send so fast.
        interrupted: somebody wanted it to end.
    """

    def __init__(self, traffic: Traffic, load: Load, guard: Guard) -> None:
        self.load = load
        self.stopped = ""
        self.outrun = False
        self.interrupted = False
        self._traffic = traffic
        self._guard = guard
        self._begun = time.monotonic() + _LEAD_S
        self.recorder = Recorder(self._begun + load.warm_up_s, load.seconds)
        self._ended: float | None = None
        self._cpu_begin: float | None = None
        self._cpu_s = 0.0
        self._open = 0

    def __repr__(self) -> str:
        return f"<Measuring {self.load} {self.recorder!r}>"

    @property
    def elapsed_s(self) -> float:
        """Seconds since measuring began; below 0 in the warm-up."""
        return time.monotonic() - self.recorder.measured_from

    @property
    def in_flight(self) -> int:
        """Requests on their way."""
        return len(self._traffic.flights)

    def figures(self) -> Figures:
        """Return what came of it, or what has come so far."""
        ended = time.monotonic() if self._ended is None else self._ended
        ending = Ending(ended, self._cpu_s, self._open, self.stopped, self.outrun, self.interrupted)
        return figures_of(self.load, self.recorder, ending)

    async def run(self, show: Show, at_end: Callable[[], Awaitable[None]] | None = None) -> None:
        """Send the load, and wait for what is on its way, at most as long as a reply is waited for.

        Args:
            show: called now and then.
            at_end: called when the last request has left.
        """
        self._traffic.recorder = self.recorder
        watching = asyncio.create_task(self._watch(show), name="bench watch")
        sending = asyncio.create_task(self._send(), name="bench load")
        try:
            await asyncio.wait((watching, sending), return_when=asyncio.FIRST_COMPLETED)
            self._end_sending()
            for task in (watching, sending):
                if task.done():
                    task.result()  # what went wrong there is raised here
            sending.cancel()
            if at_end is not None:
                await at_end()
            await self._drain()
        except asyncio.CancelledError:
            self.interrupted = True
            raise
        finally:
            self._end_sending()
            for task in (watching, sending):
                task.cancel()
            await asyncio.gather(watching, sending, return_exceptions=True)
            self._open = self._traffic.flights.abandon()
            self._traffic.recorder = None

    async def _send(self) -> None:
        load = self.load
        whole_s = load.warm_up_s + load.seconds
        await asyncio.sleep(self._begun - time.monotonic())
        if load.rate is not None:
            await self._at_a_rate(Schedule(load.rate, self._begun, whole_s))
        else:
            await self._so_many_at_once(load.concurrency or 1, self._begun + whole_s)

    async def _at_a_rate(self, schedule: Schedule) -> None:
        while schedule.left:
            now = time.monotonic()
            if now - schedule.due > _TOO_LATE_S:
                self.outrun = True
                self.stopped = f"the generator fell {duration(now - schedule.due)} behind its schedule"
                return
            for _ in range(_CATCH_UP):
                due, count = schedule.take(now)
                if not count:
                    break
                self._traffic.send(count, due)
            # Also where the next is due already: replies are read meanwhile.
            await asyncio.sleep(max(0.0, schedule.due - time.monotonic()) if schedule.left else 0.0)

    async def _so_many_at_once(self, concurrency: int, until: float) -> None:
        traffic = self._traffic
        while (now := time.monotonic()) < until:
            traffic.moved.clear()
            if room := concurrency - len(traffic.flights):
                traffic.send(room, now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - now)):
                    await traffic.moved.wait()

    async def _watch(self, show: Show) -> None:
        """Look after a load until there is a reason to end it."""
        shown = time.monotonic()
        while not self.stopped:
            await asyncio.sleep(_WATCH_S)
            self._traffic.expire()
            now = time.monotonic()
            self._measure_cpu(now)
            if self._ended is None:
                self.stopped = self._guard.reason(self.load, self.recorder, self._traffic.flights, now)
                waiting = self._traffic.unacknowledged
                if self.stopped and waiting:
                    self.stopped += f"; Kafka has not acknowledged {waiting:,}"
            if now - shown >= _SHOW_S:
                shown = now
                await show(self)

    async def _drain(self) -> None:
        """Wait for what is on its way; each of them is answered or lost in time."""
        while self._traffic.flights:
            self._traffic.expire()
            self._traffic.moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await self._traffic.moved.wait()

    def _measure_cpu(self, now: float) -> None:
        used_s = time.process_time()
        if self._cpu_begin is None and now >= self.recorder.measured_from:
            self._cpu_begin = used_s
        if self._cpu_begin is not None and self._ended is None:
            self._cpu_s = used_s - self._cpu_begin

    def _end_sending(self) -> None:
        if self._ended is None:
            now = time.monotonic()
            self._measure_cpu(now)
            self._ended = now
