"""Kafka's answers, read from the socket into one buffer.

aiokafka reads through asyncio's streams: each piece that arrives is copied into a growing buffer, stops the socket when
there is much of it, wakes a task, and is moved again when an answer is complete. An answer to a fetch has megabytes.
Here the socket writes into a buffer that stays, and an answer is copied once. It takes a quarter of the time
(`python -m benchmarks.receiving`).

Source: docs.python.org/3/library/asyncio-protocol.html, "Buffered Streaming Protocols"; kafka.apache.org/protocol,
"Common Request and Response Structure": each answer stands behind its size, a signed number of four bytes.
"""

import asyncio
import weakref
from typing import Any, Final

_SIZE: Final = 4
_SMALL: Final = 256 * 1024  # bytes of the buffer to begin with: what asyncio asks a socket for at once
_LARGE: Final = 16 * 1024 * 1024  # bytes; a larger buffer is given back when its answer has been read


class Connections(dict[Any, Any]):
    """The connections of an aiokafka client, each of which gets a `Frames` when it is added."""

    def __setitem__(self, name: Any, connection: Any) -> None:
        super().__setitem__(name, connection)
        adopt(connection)


def adopt(connection: Any) -> None:
    """Read a connection's answers from now on; it must be open, and no answer to it under way."""
    if connection.connected():
        connection._writer.transport.set_protocol(Frames(connection))


class Frames(asyncio.BufferedProtocol):
    """Cuts what arrives into answers and hands them to the connection.

    Args:
        connection: aiokafka's; its own protocol is told of everything else, and so knows when it ends.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = weakref.ref(connection)  # a connection that nobody holds is to end
        self._below: Any = connection._protocol
        self._take_buffer(_SMALL)
        self._filled = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to write what arrives next."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over the answers that are complete."""
        self._filled += nbytes
        start = 0
        while (size := self._size_at(start)) is not None and start + size <= self._filled:
            frame = bytes(self._view[start + _SIZE : start + size])
            start += size
            connection = self._connection()
            if connection is None or connection._reader is None:  # it was closed meanwhile
                return
            connection._handle_frame(frame)
        self._keep_from(start, self._size_at(start) or _SMALL)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._below.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._below.resume_writing()

    def eof_received(self) -> bool | None:
        """Pass it on: the task that reads the stream ends with an error, which closes the connection."""
        return self._below.eof_received()  # type: ignore[no-any-return]

    def connection_lost(self, error: Exception | None) -> None:
        """Pass it on."""
        self._below.connection_lost(error)

    def _size_at(self, start: int) -> int | None:
        """Return the bytes of the answer that begins there, its size included; None while that is not known."""
        if self._filled - start < _SIZE:
            return None
        return _SIZE + int.from_bytes(self._view[start : start + _SIZE], "big", signed=True)

    def _keep_from(self, start: int, needed: int) -> None:
        """Move what is left to the front, of a buffer in which the answer that it begins has room."""
        fits = needed <= len(self._view) <= max(_LARGE, needed)
        if start == 0 and fits:
            return
        left = bytes(self._view[start : self._filled])
        if not fits:
            self._take_buffer(max(needed, _SMALL))
        self._view[: len(left)] = left
        self._filled = len(left)

    def _take_buffer(self, size: int) -> None:
        self._view = memoryview(bytearray(size))
