"""The requests that rows make, as they are asked for; from a pipe, as they come."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from penstock.cli.predict.numbers import Datatypes, encode
from penstock.cli.predict.rows import Block, InputError, Source, grouped

_AHEAD: Final = 64  # requests read before somebody takes them, or before others have their turn


class Requests:
    """The requests that a source makes, encoded as they are asked for; reading ends at the first fault.

    Attributes:
        fault: why reading ended early. What was read before it has been sent and will be answered.
    """

    def __init__(self, source: Source, rows: int, datatypes: Datatypes) -> None:
        self.fault: InputError | None = None
        self.source = source
        self.datatypes = datatypes
        self._blocks = grouped(source.blocks, rows)

    def first(self) -> Block:
        """Read the first block, which may block. Read it before anything else is done: it tells faults early.

        Raises:
            InputError: there is none, or it cannot be sent.
        """
        block = next(self._blocks, None)
        if block is None:
            raise self.source.fault("no rows")
        encode(self.source, block, self.datatypes)
        return block

    def rest(self) -> AsyncIterator[tuple[Block, bytes]]:
        """Return the other blocks with their requests' values."""
        return _from_thread(self._encoded()) if self.source.live else _stepped(self._encoded())

    def any_left(self) -> bool:
        """Tell whether there are more, as far as that is known without waiting."""
        try:
            return not self.source.live and next(self._blocks, None) is not None
        except InputError:
            return True

    def _encoded(self) -> Iterator[tuple[Block, bytes]]:
        try:
            for block in self._blocks:
                yield block, encode(self.source, block, self.datatypes)
        except InputError as error:
            self.fault = error


async def _stepped(items: Iterator[Any]) -> AsyncIterator[Any]:
    """Iterate where reading is quick, and let everything else on the event loop have its turn now and then."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % _AHEAD == 0:
            await asyncio.sleep(0)


async def _from_thread(items: Iterator[Any]) -> AsyncIterator[Any]:
    """Iterate in a thread, which may block: answers go on coming while the next row is waited for.

    A thread of our own that ends with the process: nobody can wake it from a read.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[Any, Exception | None]] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)

    def put(item: Any, error: Exception | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, (item, error))

    def read() -> None:
        error: Exception | None = None
        try:
            for item in items:
                put(item, None)
                room.acquire()
        except Exception as failure:  # it is raised where the item would have come
            error = failure
        put(None, error)

    threading.Thread(target=read, name="penstock-input", daemon=True).start()
    while True:
        item, error = await queue.get()
        if error is not None:
            raise error
        if item is None:
            return
        room.release()
        yield item
