"""A TCP proxy between workers and brokers, which can be told to be a bad network.

What a real network loses, TCP sends again: to a program a lost packet is a pause. So loss is made of pauses here.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from penstock.broker.ports import HOST
from tests.chaos.frames import Frame, take_frames
from tests.support.waiting import until

_CHUNK: Final = 64 * 1024
_AGAIN_S: Final = 0.2  # until TCP sends a lost packet again: the least that Linux waits
Wanted = Callable[[Frame], bool]


@dataclass
class Weather:
    """What the network does to every connection; faults set it.

    Attributes:
        latency_s: of each direction.
        loss: part of the pieces that have to be sent again.
        down: nobody gets through: connections that come are closed.
        swallowed: requests that never arrive, on connections that stay open.
        held: requests that are to arrive late: the client sees its connection break, the broker gets it on release.
    """

    latency_s: float = 0.0
    loss: float = 0.0
    down: bool = False
    swallowed: Wanted | None = None
    held: Wanted | None = None
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def pause_s(self) -> float:
        """Return how long the next piece takes."""
        return self.latency_s + (_AGAIN_S if self.loss and self.rng.random() < self.loss else 0.0)


class Link:
    """One connection of a client to a broker."""

    def __init__(self, client: asyncio.StreamWriter, broker: asyncio.StreamWriter) -> None:
        self.client, self.broker = client, broker
        self.client_id = ""
        self.moving = asyncio.Event()  # cleared: half-open, nothing passes and nobody is told
        self.moving.set()

    def close(self) -> None:
        """Break both sides, hard."""
        for writer in (self.client, self.broker):
            with contextlib.suppress(Exception):
                writer.transport.abort()
        self.moving.set()


class Proxy:
    """Listens once for each broker.

    Attributes:
        weather: what it does.
        links: the open connections.
        cut_count, swallowed, held: connections that were cut, requests that never arrived, and those held back now.
    """

    def __init__(self) -> None:
        self.weather = Weather()
        self.links: set[Link] = set()
        self.ports: list[int] = []
        self.cut_count = 0
        self.swallowed: list[Frame] = []
        self.held: list[tuple[Frame, asyncio.StreamWriter]] = []
        self._left: list[asyncio.StreamWriter] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, targets: Mapping[int, int]) -> None:
        """Listen on ports, each for the broker that listens on another."""
        for port, target in targets.items():

            async def accept(r: asyncio.StreamReader, w: asyncio.StreamWriter, target: int = target) -> None:
                task = asyncio.current_task()
                assert task is not None
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await self._carry(r, w, target)
                w.transport.abort()

            self._servers.append(await asyncio.start_server(accept, HOST, port))
            self.ports.append(port)

    async def close(self) -> None:
        """Break everything and listen no more."""
        for server in self._servers:
            server.close()
        self.heal()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def heal(self) -> None:
        """Be a good network again. What was half-open breaks, as it would when the other side is asked."""
        self.weather = Weather()
        self.drop_held()
        self.cut(lambda link: not link.moving.is_set())

    def cut(self, which: Callable[[Link], bool] = lambda _: True) -> int:
        """Break connections, and return how many."""
        chosen = [link for link in self.links if which(link)]
        for link in chosen:
            link.close()
        self.cut_count += len(chosen)
        return len(chosen)

    def half_open(self, which: Callable[[Link], bool] = lambda _: True) -> int:
        """Let nothing pass on connections that stay open, and return how many; connections made later are good."""
        chosen = [link for link in self.links if which(link)]
        for link in chosen:
            link.moving.clear()
        return len(chosen)

    def release(self) -> int:
        """Deliver what was held back, each to the broker that it was for, and return how many."""
        count, (held, self.held) = 0, (self.held, [])
        for frame, broker in held:
            if not broker.is_closing():
                broker.write(frame.raw)
                self._left.append(broker)  # until it has been read there
                count += 1
        return count

    async def until_swallowed(self, within_s: float = 20.0) -> None:
        """Wait for the next request that does not arrive."""
        before = len(self.swallowed)
        await until(lambda: len(self.swallowed) > before, within_s=within_s, what="a request that is swallowed")

    async def until_held(self, within_s: float = 30.0) -> None:
        """Wait until a request is held back."""
        await until(lambda: self.held, within_s=within_s, every_s=0.005, what="a request that is held back")

    def drop_held(self) -> None:
        """Forget what was held back."""
        left, self._left = [*self._left, *(broker for _, broker in self.held)], []
        self.held = []
        for broker in left:
            broker.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, target: int) -> None:
        if self.weather.down:
            return
        from_broker, broker = await asyncio.open_connection(HOST, target)
        link = Link(client, broker)
        self.links.add(link)
        ways = [
            asyncio.create_task(self._requests(reader, link)),
            asyncio.create_task(self._answers(from_broker, link)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.links.discard(link)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            if any(writer is broker for _, writer in self.held):
                client.transport.abort()  # the broker's side stays open for what is still to be delivered
            else:
                link.close()

    async def _requests(self, reader: asyncio.StreamReader, link: Link) -> None:
        buffer = bytearray()
        while piece := await reader.read(_CHUNK):
            buffer += piece
            for frame in take_frames(buffer):
                link.client_id = frame.client_id or link.client_id
                await self._late(link)
                if self.weather.held is not None and self.weather.held(frame):
                    self.held.append((frame, link.broker))
                    return
                if self.weather.swallowed is not None and self.weather.swallowed(frame):
                    self.swallowed.append(frame)
                    continue
                link.broker.write(frame.raw)
            await link.broker.drain()

    async def _answers(self, reader: asyncio.StreamReader, link: Link) -> None:
        while piece := await reader.read(_CHUNK):
            await self._late(link)
            link.client.write(piece)
            await link.client.drain()

    async def _late(self, link: Link) -> None:
        if (pause_s := self.weather.pause_s()) > 0:
            await asyncio.sleep(pause_s)
        await link.moving.wait()
