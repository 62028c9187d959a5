"""What the workers say of commands, heard on one connection, so that what is timed is their work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from penstock.producer.control.acknowledgements import ack_of
from penstock.producer.control.control import Control
from penstock.producer.control.results import Ack, Change, Issued
from penstock.schemas.control.status import WorkerStatus

_WAIT_S: Final = 15.0


class Listener:
    """Hears workers.

    Args:
        control: connected.
        workers: how many there are.
    """

    def __init__(self, control: Control, workers: int) -> None:
        self._control = control
        self._workers = workers
        self._said: dict[str, WorkerStatus] = {}
        self._heard = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Listener of {', '.join(self._said)}>"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen while the block lasts."""
        task = asyncio.create_task(self._listen())
        task.add_done_callback(lambda _: self._heard.set())
        try:
            yield
            if task.done():
                task.result()  # says why it ended
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self) -> None:
        async with aclosing(self._control.watch()) as statuses:
            async for status in statuses:
                self._said[status.worker] = status
                self._heard.set()

    async def acks(self, issued: Change) -> list[Ack]:
        """Return what became of a command on each worker: the last words, or what is known after some seconds."""
        assert isinstance(issued, Issued)
        try:
            async with asyncio.timeout(_WAIT_S):
                while True:
                    self._heard.clear()
                    acks = [
                        ack_of(worker, said, issued.offset, str(issued.resource))
                        for worker, said in sorted(self._said.items())
                    ]
                    if len(acks) >= self._workers and all(ack.settled for ack in acks):
                        return acks
                    await self._heard.wait()
        except TimeoutError:
            silent = [Ack("a worker", "silent")] * (self._workers - len(acks))
            return [*acks, *silent]
