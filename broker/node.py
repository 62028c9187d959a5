"""One broker process: start it, end it, hold it still."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.broker.errors import BrokerError, BrokerStartError, PortTakenError
from penstock.broker.ports import HOST, check_free, is_free
from penstock.broker.properties import NodeSpec
from penstock.broker.ready import wait_for_nodes

_GUARD = Path(__file__).with_name("guard.py")
_BIND_FAILED = re.compile(r"bind to \S*?:(\d+)\D*(?:Address already in use|BindException)")
_TAIL_LINES = 20
_KILL_WAIT_S = 10.0


class KafkaNode:
    """A node of an embedded cluster. It keeps its ports and data over ``stop``, ``kill`` and ``start``.

    ``_guard`` (the process that holds ours) and ``_pid`` (the JVM) change in ``start`` and are meaningful
    while ``running``; ``_suspended`` changes in ``suspend`` and ``resume``. Not for use from two tasks at once.
    """

    def __init__(
        self,
        spec: NodeSpec,
        command: Sequence[str],
        log_path: Path,
        *,
        security: Mapping[str, Any] | None = None,
        scratch: Path | None = None,
    ) -> None:
        self.spec = spec
        self.log_path = log_path
        self._command = list(command)
        self._security = dict(security or {})
        self._scratch = scratch
        self._guard: asyncio.subprocess.Process | None = None
        self._pid = 0
        self._suspended = False

    def __repr__(self) -> str:
        state = "suspended" if self._suspended else f"running, pid {self._pid}" if self.running else "stopped"
        return f"<KafkaNode {self.spec.node_id} at {self.bootstrap_server}: {state}>"

    @property
    def node_id(self) -> int:
        """The node's id, from 1."""
        return self.spec.node_id

    @property
    def bootstrap_server(self) -> str:
        """Its address for clients, ``host:port``."""
        return f"{HOST}:{self.spec.port}"

    @property
    def running(self) -> bool:
        """Whether its process lives, suspended or not."""
        return self._guard is not None and self._guard.returncode is None

    @property
    def pid(self) -> int:
        """The process id of its JVM. Raises: BrokerError (it doesn't run)."""
        if not self.running:
            raise BrokerError(f"node {self.node_id} does not run: start it first")
        return self._pid

    async def start(self, *, timeout_s: float = 60.0) -> None:
        """Start the process and wait until its own metadata lists it.

        Raises:
            PortTakenError: someone listens on one of its ports.
            BrokerStartError: it ended or did not answer within ``timeout_s``; nothing is left running.
        """
        if self.running:
            raise BrokerError(f"node {self.node_id} runs already: stop it first")
        await self._wait_for_ports()
        deadline = time.monotonic() + timeout_s
        written = self.log_path.stat().st_size if self.log_path.exists() else 0
        try:
            await self._spawn()
            ready = await self._ready_or_ended(deadline)
        except BaseException:
            await self.kill()
            raise
        if not ready:
            await self._fail(written, timeout_s)

    async def stop(self, *, timeout_s: float = 15.0) -> None:
        """End the process in good order, by force after ``timeout_s``. Does nothing where it doesn't run."""
        if self.running and self._guard is not None:
            self.resume()
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._guard.wait(), timeout_s)
        await self.kill()

    async def kill(self) -> None:
        """End the process by SIGKILL, as a crash would. Does nothing where it doesn't run."""
        if self._guard is None:
            return
        if self.running and self._pid:
            self._signal(signal.SIGKILL)
        # The guard kills the JVM too when told: for a start that was cut short before its pid came.
        if self._guard.stdin is not None and not self._guard.stdin.is_closing():
            self._guard.stdin.write(b".")
            self._guard.stdin.close()
        await asyncio.wait_for(self._guard.wait(), _KILL_WAIT_S)
        self._suspended = False

    def suspend(self) -> None:
        """Hold the process still (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        self._suspended = True

    def resume(self) -> None:
        """Let a suspended process go on."""
        if self._suspended:
            os.kill(self.pid, signal.SIGCONT)
            self._suspended = False

    async def wait_ended(self) -> int:
        """Wait until the process ends for whatever reason and return its exit status."""
        return 0 if self._guard is None else await self._guard.wait()

    def log_tail(self, lines: int = _TAIL_LINES, *, after: int = 0) -> str:
        """Return the last ``lines`` of the log, of what stands behind byte ``after``; blocks shortly."""
        try:
            with self.log_path.open("rb") as file:
                file.seek(after)
                return b"".join(deque(file, maxlen=lines)).decode(errors="replace").rstrip()
        except OSError:
            return ""

    async def _wait_for_ports(self) -> None:
        """Check that the ports are free, with patience for a process of ours whose guard was killed first."""
        patient_until = time.monotonic() + (_KILL_WAIT_S if self._guard is not None else 0.0)
        while time.monotonic() < patient_until:
            if is_free(self.spec.port) and is_free(self.spec.controller_port):
                return
            await asyncio.sleep(0.02)
        check_free(self.spec.port)
        check_free(self.spec.controller_port)

    async def _spawn(self) -> None:
        with self.log_path.open("ab") as log:
            self._pid = 0
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_GUARD), str(self._scratch or ""), *self._command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # Ctrl-C in a terminal reaches the whole foreground group; when a broker stops is for us to say.
                start_new_session=True,
            )
        if self._guard.stdout is not None:
            self._pid = int(await self._guard.stdout.readline() or 0)

    async def _ready_or_ended(self, deadline: float) -> bool:
        ready = asyncio.create_task(wait_for_nodes(self.spec.port, {self.node_id}, self._security, deadline))
        ended = asyncio.create_task(self.wait_ended())
        try:
            await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
            return not ended.done() and ready.result()
        finally:
            ready.cancel()
            ended.cancel()

    async def _fail(self, written: int, timeout_s: float) -> None:
        status = None if self._guard is None else self._guard.returncode
        await self.kill()
        tail = await asyncio.to_thread(self.log_tail, after=written)
        taken = _BIND_FAILED.search(await asyncio.to_thread(self.log_tail, 500, after=written))
        if taken:
            raise PortTakenError(int(taken[1]))
        if status is None:
            what = f"node {self.node_id} did not answer a metadata request within {timeout_s:.1f} s"
        else:
            what = f"node {self.node_id} ended with status {status} before it was ready"
        raise BrokerStartError(what, tail)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
