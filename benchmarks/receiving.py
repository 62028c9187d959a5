"""Kafka's answers read by asyncio's streams, as aiokafka does it, beside `transport.frames`: CPU time by the megabyte.

    python -m benchmarks.receiving

Another process sends answers of a few megabytes, as they are when a backlog is fetched. Both read them in turn.
"""

import asyncio
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from penstock.transport.frames import Frames

SIZE = 8 * 1024 * 1024
COUNT = 24
ROUNDS = 7
SENDER = f"""
import socket, sys
out = socket.socket(fileno=int(sys.argv[1]))
for _ in range({COUNT}):
    out.sendall(({SIZE}).to_bytes(4, "big") + bytes({SIZE}))
"""


class Connection:
    """What `Frames` needs of aiokafka's."""

    def __init__(self, handle: Callable[[bytes], None]) -> None:
        self._handle_frame = handle
        self._protocol = asyncio.Protocol()
        self._reader = object()


async def by_streams(ours: socket.socket) -> None:
    """Read as `AIOKafkaConnection._read` does, with its limit."""
    reader, writer = await asyncio.open_connection(sock=ours, limit=2**16)
    for _ in range(COUNT):
        size = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(size)
    writer.close()


async def by_frames(ours: socket.socket) -> None:
    """Read by a protocol that has a buffer of its own."""
    done, left = asyncio.get_running_loop().create_future(), [COUNT]

    def handle(frame: bytes) -> None:
        left[0] -= len(frame) == SIZE
        if not left[0]:
            done.set_result(None)

    connection = Connection(handle)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: Frames(connection), sock=ours)
    await done
    transport.close()


def milliseconds(way: Callable[[socket.socket], Coroutine[Any, Any, None]]) -> float:
    """Return the CPU time that a megabyte takes, in milliseconds."""
    ours, theirs = socket.socketpair()
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    start = time.process_time()
    asyncio.run(way(ours))
    took = time.process_time() - start
    sender.wait(10)
    return took * 1000 / (COUNT * SIZE / 1e6)


if __name__ == "__main__":
    rounds = [(milliseconds(by_streams), milliseconds(by_frames)) for _ in range(ROUNDS)]
    ratios = [frames / streams for streams, frames in rounds]
    streams, frames = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"streams {streams:.2f} ms of CPU a megabyte, frames {frames:.2f}")
    print(f"ratio, median of {ROUNDS}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
