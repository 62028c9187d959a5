"""The generator of the study of control in a process of its own, so that giving orders does not hold a request back.

Monotonic seconds are the same in all processes of a machine.
"""

import asyncio
import multiprocessing
import signal
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.studies.control_answers import Answers
from benchmarks.studies.control_generator import PATIENCE_S, Generator, Stream
from benchmarks.studies.failures import StudyError
from benchmarks.studies.lane import Lane

_END_S: Final = 60.0  # to look at every reply


class Load:
    """A generator in a process of its own. An async context manager; runs follow one another.

    Args:
        bootstrap: Kafka's addresses.
        lane: whose topics are there.
    """

    def __init__(self, bootstrap: str, lane: Lane) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, bootstrap, lane), daemon=True)

    async def __aenter__(self) -> Self:
        self._process.start()
        await self._answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.join)

    async def begin(self, *streams: Stream) -> None:
        """Send until `end`."""
        self._pipe.send(streams)
        await self._answer()

    async def end(self) -> Answers:
        """Send no more, wait for the last replies, and return what became of all. Raises: StudyError."""
        self._pipe.send(None)
        found = await self._answer()
        assert isinstance(found, Answers)
        return found

    async def run(self, seconds: float, *streams: Stream) -> Answers:
        """Send for so long. Raises: StudyError."""
        await self.begin(*streams)
        await asyncio.sleep(seconds)
        return await self.end()

    async def _answer(self) -> Any:
        if not await asyncio.to_thread(self._pipe.poll, PATIENCE_S + _END_S):
            raise StudyError("the generator does not answer: is the machine busy?")
        try:
            found = self._pipe.recv()
        except EOFError:
            raise StudyError("the generator has ended; what it has printed says why") from None
        if isinstance(found, str):
            raise StudyError(found)
        return found


def _serve(pipe: Connection, bootstrap: str, lane: Lane) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the study
    generator = Generator(bootstrap, lane)
    pipe.send(None)
    while True:
        generator.begin(pipe.recv())
        pipe.send(None)
        pipe.recv()
        pipe.send(generator.end())
