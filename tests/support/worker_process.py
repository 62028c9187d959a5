"""`penstock worker` as a process of its own, configured by variables only."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from tests.support.lane import Lane
from tests.support.waiting import until

_opener = build_opener(ProxyHandler({}))  # what listens here is not to be looked for at a proxy


def variables(lane: Lane, models: Path, default: str | None = "doubler", **settings: Any) -> dict[str, str]:
    """The variables of a worker on a lane; `worker__drain_timeout_s=1` adds PENSTOCK_WORKER__DRAIN_TIMEOUT_S."""
    named = {
        "kafka__bootstrap_servers": lane.bootstrap,
        "worker__request_topics": lane.requests,
        "worker__reply_topic": lane.replies,
        "worker__group_id": lane.group,
        "models__repository": models,
        "models__default": default,
        "http__port": 0,
        **settings,
    }
    return {f"PENSTOCK_{name.upper()}": str(value) for name, value in named.items() if value is not None}


class WorkerProcess:
    """One `penstock worker` and its log.

    Args:
        log: file that gets its standard error.
        environment: its PENSTOCK_* variables. Those of this process, the tests' own among them, do not reach it.
        arguments: more of the command line.
    """

    def __init__(self, log: Path, environment: dict[str, str], *arguments: str) -> None:
        self.log_path = log
        self._environment = environment
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "WorkerProcess":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "penstock.cli.main", "worker", *self._arguments),
                env={**inherited, **self._environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which then ends it
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self, within_s: float = 30.0) -> int:
        """Wait for its end and return its exit status."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), within_s)

    async def end(self) -> None:
        """Kill it and what it has started; does nothing where it has ended."""
        if self.running:
            children = self.children()
            self.signal(signal.SIGKILL)
            await self.wait()
            for pid in children:
                kill(pid)

    def children(self) -> list[int]:
        """The process ids of its worker processes."""
        return [
            line["pid"] for line in self.log() if line.get("event") == "worker process started" and alive(line["pid"])
        ]

    def text(self) -> str:
        return self.log_path.read_text(errors="replace")

    def log(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line.get("event") == event]

    def url(self) -> str | None:
        """Where health and metrics are, once its log says so."""
        lines = self.logged("health and metrics")
        return lines[-1]["url"] if lines else None

    async def ready(self, within_s: float = 30.0, processes: int = 1) -> "WorkerProcess":
        """Wait until so many processes serve."""

        async def serving() -> bool:
            assert self.running, f"ended with {self._process and self._process.returncode}:\n{self.text()}"
            urls = [line["url"] for line in self.logged("health and metrics")]
            if len(urls) < processes:
                return False
            return all([(await fetch(f"{url}/health/ready"))[0] == 200 for url in urls[-processes:]])

        await until(serving, within_s=within_s, every_s=0.05, what=lambda: f"ready, but:\n{self.text()}")
        return self

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        _, text = await fetch(f"{self.url()}/metrics")
        return metric(text, name)


def metric(text: str, name: str) -> float:
    """The sum over the labels of one metric in Prometheus' text."""
    samples = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rpartition(" ")[2]) for line in samples)


async def fetch(url: str) -> tuple[int, str]:
    """Get a page: its status and text; status 0 where nobody answers."""

    def get() -> tuple[int, str]:
        try:
            with _opener.open(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    return await asyncio.to_thread(get)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has collected yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat")
        os.kill(pid, 0)
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def kill(pid: int) -> None:
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
