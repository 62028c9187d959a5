"""The workers of one lane: `penstock worker` as processes that may be killed, held still, and told to end."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.chaos.frames import Kind
from tests.chaos.proxy import Wanted
from tests.support.lane import Lane
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, alive, kill, metric, variables
from tests.support.worker_process import fetch as get_page

READY_S: Final = 60.0
_END_S: Final = 60.0
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Worker(WorkerProcess):
    """A worker of a fleet, and whether it is expected to have ended well."""

    spoiled = False  # a fault has killed it: its exit status says nothing

    def suspend(self) -> None:
        """Hold it still, and its children: it keeps what it has, and answers nothing."""
        for pid in (self.pid, *self.children()):
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, as if nothing had been."""
        for pid in (self.pid, *self.children()):
            os.kill(pid, signal.SIGCONT)

    def tracebacks(self) -> list[str]:
        """Return the lines of its log with a traceback; what aiokafka says of its own tasks is not ours."""
        lines = [line for line in self.text().splitlines() if "Traceback (most recent call last)" in line]
        ours = [line for line in lines if not line.startswith("{")]
        return ours + [line for line in lines if line.startswith("{") and _is_ours(json.loads(line)["logger"])]

    async def die(self) -> None:
        """End it by SIGKILL, with its children."""
        self.spoiled = True
        await self.end()


def _is_ours(logger: str) -> bool:
    return not logger.startswith(("aiokafka", "asyncio"))


def with_first(folder: Path) -> dict[str, str]:
    """Return the variable that has Python look into a folder before all others."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def sent_by(worker: WorkerProcess, *kinds: Kind) -> Wanted:
    """Return what tells requests of one worker from others."""
    name = f"-{worker.pid}"
    return lambda frame: frame.kind in kinds and name in frame.client_id


class Fleet:
    """Workers, by the order of their start.

    Args:
        lane: what they serve; its addresses are the proxy's.
        models: their repository.
        folder: for their logs.
        settings: as `section__name`, of every worker.
        environment: variables of every worker that are no settings.
    """

    def __init__(
        self, lane: Lane, models: Path, folder: Path, settings: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        self.workers: list[Worker] = []
        self._lane, self._models, self._folder = lane, models, folder
        self._settings, self._environment = dict(settings), dict(environment)
        self._numbers = itertools.count(1)

    def set(self, setting: str, value: object) -> None:
        """Give the workers that start from now on another setting."""
        self._settings[setting] = value

    def set_environment(self, variables: Mapping[str, str]) -> None:
        """Give the workers that start from now on more variables."""
        self._environment |= dict(variables)

    @property
    def running(self) -> list[Worker]:
        """Those that live, held still or not."""
        return [worker for worker in self.workers if worker.running]

    async def start(self, count: int = 1, *, ready: bool = True, **settings: Any) -> list[Worker]:
        """Start workers side by side, and wait until they serve."""
        started = [self._make(**settings) for _ in range(count)]
        for worker in started:
            await worker.start()
        if ready:
            processes = int(settings.get("worker__processes", self._settings.get("worker__processes", 1)))
            await asyncio.gather(*(worker.ready(READY_S, processes) for worker in started))
        return started

    def _make(self, **settings: Any) -> Worker:
        named = variables(self._lane, self._models, "adder", **{**self._settings, **settings})
        log = self._folder / f"worker-{next(self._numbers)}.log"
        worker = Worker(log, {**named, **self._environment})
        self.workers.append(worker)
        return worker

    async def stop(self) -> list[str]:
        """Tell all to end, and return what was wrong with how they did."""
        found = []
        for worker in self.running:
            worker.resume()
            worker.signal(signal.SIGTERM)
        for worker in self.running:
            try:
                await worker.wait(_END_S)
            except TimeoutError:
                found.append(f"{worker.log_path.name} did not end within {_END_S:g} s of SIGTERM")
                await worker.die()
        for worker in self.workers:
            status = worker._process.returncode if worker._process else None
            if not worker.spoiled and status != 0:
                found.append(f"{worker.log_path.name} ended with {status}: {worker.text()[-300:]}")
            found += [f"{worker.log_path.name} holds a traceback: {line[-300:]}" for line in worker.tracebacks()]
        return found

    async def kill(self) -> None:
        """End all at once, whatever their state."""
        for worker in self.workers:
            await worker.end()
            for pid in [line["pid"] for line in worker.logged("worker process started") if alive(line["pid"])]:
                kill(pid)

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the lines of all logs with an event, and these values."""
        lines = [line for worker in self.workers for line in worker.logged(event)]
        return [line for line in lines if all(line.get(name) == value for name, value in fields.items())]

    async def until_logged(self, event: str, *, more_than: int = 0, within_s: float = 30.0) -> None:
        """Wait until an event is in the logs more often than so many times."""
        await until(lambda: len(self.logged(event)) > more_than, within_s=within_s, every_s=0.1, what=event)

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over all workers that answer."""
        urls = [line["url"] for worker in self.running for line in worker.logged("health and metrics")]
        pages = await asyncio.gather(*(get_page(f"{url}/metrics") for url in urls))
        return sum(metric(text, name) for status, text in pages if status == 200)

    def memory(self) -> int:
        """Return the bytes in memory of all that live."""
        total = 0
        for worker in self.running:
            for pid in (worker.pid, *worker.children()):
                with contextlib.suppress(OSError):  # it has just ended, or this is not Linux
                    total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        return total
