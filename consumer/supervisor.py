"""One worker process per core, watched over.

A child that dies is taken out of the group, because the coordinator would otherwise wait for it until its session
ends and nobody would serve meanwhile; and it is started again, at once the first time, then after a growing pause.
Before it leaves the group, all members can read what its model was running, see `journal_topic.py`: a request that
kills whoever runs it then kills no more than two others.
Children hold a pipe from here as their standard input: when it closes, their supervisor is gone, and they drain.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

from penstock.consumer.process_name import process_name
from penstock.consumer.service import EXIT_AT_ONCE
from penstock.consumer.settings import ServiceSettings
from penstock.consumer.suspects.journal import Death, journal_file, read_journal
from penstock.consumer.suspects.memory_kills import memory_kills
from penstock.consumer.suspects.topic import publish_death
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.group import leave_for

log = Logger(__name__)

EXIT_CONFIGURATION: Final = 2  # starting such a child again cannot help
_STABLE_S: Final = 30.0  # a child that lived this long had nothing wrong from the start
_MAX_PAUSE_S: Final = 10.0
_TELL_S: Final = 5.0  # less than a session: the others are not to take over before
_KILL_AFTER_S: Final = 10.0  # beyond the children's own shutdown deadline


def next_pause_s(last_s: float, lived_s: float) -> float:
    """Return how long to wait before a dead child is started again: not at all when it had lived well."""
    return 0.0 if lived_s > _STABLE_S else min(last_s * 2 + 0.25, _MAX_PAUSE_S)


def may_be_of_a_request(status: int, kills_before: int | None, kills_after: int | None) -> bool:
    """Tell whether a child may have died of what its model ran, and not by somebody's wish.

    Args:
        status: its exit status.
        kills_before: how often the kernel had killed for want of memory when it was started.
        kills_after: and when it was dead: a SIGKILL that the kernel did not send came from outside.
    """
    if status in (0, EXIT_AT_ONCE, -signal.SIGTERM, -signal.SIGINT):
        return False
    return status != -signal.SIGKILL or kills_before is None or kills_before != kills_after


class Supervisor:
    """Runs several worker processes of one service.

    Args:
        settings: of the whole service.
        command: the command line of a child, to which its client id and number are added.
    """

    def __init__(self, settings: ServiceSettings, command: Sequence[str]) -> None:
        self._settings = settings
        self._command = tuple(command)
        self._name = process_name(settings.kafka.client_id)
        self._children: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._status = 0

    def __repr__(self) -> str:
        return f"<Supervisor {self._name} children={[child.pid for child in self._children.values()]}>"

    async def run(self) -> int:
        """Keep the children running until told to stop, and return the exit status."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._on_signal)
        async with asyncio.TaskGroup() as group:
            for number in range(self._settings.worker.processes):
                group.create_task(self._keep(number))
        return self._status

    def _on_signal(self) -> None:
        if self._stopping.is_set():
            for child in self._children.values():
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            os._exit(EXIT_AT_ONCE)
        log.info("stopping", children=len(self._children))
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.terminate()

    async def _keep(self, number: int) -> None:
        """Keep one child running."""
        lives, pause_s = 0, 0.0
        while not self._stopping.is_set():
            lives += 1
            client_id = f"{self._name}-{number}-{lives}"
            started = time.monotonic()
            kills = memory_kills()
            with journal_file() as journal:
                status = await self._live(number, client_id, journal)
                death = read_journal(journal)
            if self._stopping.is_set():
                self._status = self._status or (status if status > 0 else 0)
                return
            if status == EXIT_CONFIGURATION:
                self._status = status
                self._stop()
                return
            log.error("worker process died", number=number, status=status, lived_s=round(time.monotonic() - started, 1))
            pause_s = next_pause_s(pause_s, time.monotonic() - started)
            if death and may_be_of_a_request(status, kills, memory_kills()):
                await self._tell(client_id, death)
            await self._leave(client_id)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    async def _live(self, number: int, client_id: str, journal: int) -> int:
        """Run one child from start to end and return its exit status."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command,
            f"--child={number}",
            f"--client-id={client_id}",
            f"--journal={journal}",
            pass_fds=(journal,),
            stdin=asyncio.subprocess.PIPE,
            # Ctrl-C on a terminal is for the supervisor, which tells its children once: twice would end them at once.
            start_new_session=True,
        )
        self._children[number] = child
        log.info("worker process started", number=number, pid=child.pid, client_id=client_id)
        if self._stopping.is_set():  # the signal came while the child was being made
            child.terminate()
        ending = asyncio.create_task(self._kill_when_overdue(child))
        try:
            return await child.wait()
        finally:
            ending.cancel()
            del self._children[number]

    async def _kill_when_overdue(self, child: asyncio.subprocess.Process) -> None:
        await self._stopping.wait()
        await asyncio.sleep(self._settings.worker.shutdown_timeout_s + _KILL_AFTER_S)
        log.error("worker process did not stop; killed", pid=child.pid)
        child.kill()

    async def _tell(self, client_id: str, death: Death) -> None:
        """Say what a child ran when it died."""
        options, group = self._settings.kafka.client_options(), self._settings.worker.group_id
        places = [f"{run.topic}/{run.partition}/{run.first}-{run.last}" for run in death]
        log.warning("requests that ran in a dead process", model=death[0].model, between=places)
        try:
            await publish_death(options, group, death, client_id=client_id, timeout_s=_TELL_S)
        except TransportError as error:
            log.warning("nobody else knows of them", error=str(error))

    async def _leave(self, client_id: str) -> None:
        options = self._settings.kafka.client_options()
        try:
            members = await leave_for(options, self._settings.worker.group_id, client_id)
            log.info("left the group for a dead process", client_id=client_id, members=members)
        except TransportError as error:
            log.warning("a dead process stays in the group until its session ends", error=str(error))
