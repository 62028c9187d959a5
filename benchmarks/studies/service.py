"""`penstock worker` under study: a process of its own, with default settings but for where everything is."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.studies.failures import StudyError
from benchmarks.studies.lane import Lane
from benchmarks.studies.openings import Opening, all_open_at, openings_of
from benchmarks.workload import MODEL
from penstock.cli.pages.sample import Sample
from penstock.cli.pages.scrape import look

_LOOK_S = 0.02
_END_S = 45.0  # worker.shutdown_timeout_s, and what a supervisor gives beyond it
_TOLD_LINES = 3  # of its log, when it fails


class Service:
    """One `penstock worker`, of one or more processes. An async context manager: it is gone at the end.

    Args:
        name: of its log and its members.
        folder: holds the model, and gets the log.
        bootstrap: Kafka's addresses.
        lane: what it serves.
        processes: how many it runs; above one, a supervisor and so many children.
        model: the default one.
        settings: more of them, as `section.name`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        bootstrap: str,
        lane: Lane,
        *,
        processes: int = 1,
        model: str = MODEL,
        settings: dict[str, object] | None = None,
    ) -> None:
        self.name = name
        self.lane = lane
        self.processes = processes
        self._log = folder / f"{name}.log"
        self._command = [
            *(sys.executable, "-m", "penstock.cli.main", "worker"),
            *(f"--bootstrap-servers={bootstrap}", f"--request-topics={lane.requests}"),
            *(f"--reply-topic={lane.replies}", f"--group-id={lane.group}"),
            *(f"--repository={folder / 'models'}", f"--default-model={model}"),
            *(f"--processes={processes}", "--http-port=0", "--set=log.format=json"),
            *(f"--set={key}={value}" for key, value in (settings or {}).items()),
        ]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=inherited,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the study, which then ends it
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Of the supervisor, or of the only process."""
        assert self._process is not None
        return self._process.pid

    @property
    def members(self) -> list[str]:
        """The names under which its processes open partitions."""
        return [f"{self.name}/{number}" for number in range(self.processes)]

    def lines(self) -> list[dict[str, Any]]:
        """Return the whole lines of its log."""
        found = []
        for line in self._log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):  # a line may be half written, or a traceback's
                found.append(json.loads(line))
        return found

    def openings(self) -> list[Opening]:
        """Return when its members opened partitions."""
        return openings_of(self.lines(), self.name)

    def all_open_at(self, after: float = 0.0) -> float | None:
        """Return when its members had every partition of the lane open after a moment, epoch seconds; None before."""
        return all_open_at(self.openings(), self.members, self.lane.partitions, after)

    def children(self) -> dict[int, int]:
        """Return the process id of each child, the last one under its number."""
        started = [line for line in self.lines() if line.get("event") == "worker process started"]
        return {line["number"]: line["pid"] for line in started}

    async def metrics(self) -> Sample:
        """Look at the metrics page of its only process.

        Raises:
            StudyError: it gives none.
        """
        urls = [line["url"] for line in self.lines() if line.get("event") == "health and metrics"]
        sample = await look(urls[-1]) if urls else None
        if not isinstance(sample, Sample):
            raise StudyError(f"worker {self.name} shows no metrics. {self.last_words()}")
        return sample

    async def until(self, found: Callable[[], float | None], what: str, within_s: float = 60.0) -> float:
        """Return what `found` finds, as soon as it does.

        Raises:
            StudyError: the worker has ended, or the deadline has passed.
        """
        deadline = time.monotonic() + within_s
        while (value := found()) is None:
            self.check()
            if time.monotonic() > deadline:
                raise StudyError(f"not within {within_s:g} s: {what}. {self.last_words()}")
            await asyncio.sleep(_LOOK_S)
        return value

    def check(self) -> None:
        """Raise StudyError if it has ended."""
        if self._process is not None and self._process.returncode is not None:
            raise StudyError(f"worker {self.name} has ended with {self._process.returncode}. {self.last_words()}")

    def last_words(self) -> str:
        """Return the last lines of its log, for a person."""
        tail = self._log.read_text(errors="replace").splitlines()[-_TOLD_LINES:]
        return "Its log ends:\n" + "\n".join(tail) if tail else "Its log is empty."

    async def kill(self) -> None:
        """Kill its only process at once (SIGKILL)."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """Let it drain and end; kill it when it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        children = self.children().values()
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except BaseException as error:
            for pid in (process.pid, *children):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await process.wait()
            if isinstance(error, TimeoutError):
                raise StudyError(f"worker {self.name} did not end and was killed. {self.last_words()}") from None
            raise
