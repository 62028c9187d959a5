"""Fetches a page of a worker process over HTTP. It needs no library, so the light install has it too."""

import asyncio
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_MOST_BYTES: Final = 8 * 1024 * 1024  # a page of a worker has some 30 kB
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listened on, it is asked at the loopback


class Answer(NamedTuple):
    """What came: status, headers and text."""

    status: int
    headers: Message
    text: str


def default_urls(host: str, port: int, processes: int) -> list[str]:
    """Return where the processes of a service listen: each adds its number to the port."""
    address = _ANY_ADDRESS.get(host, host)
    shown = f"[{address}]" if ":" in address else address
    return [f"http://{shown}:{number}" for number in range(port, min(port + processes, 65_536))]


def place_of(url: str) -> str:
    """Return where a page is, without what all pages share."""
    return url.removeprefix("http://").removeprefix("https://")


async def fetch(url: str, path: str) -> Answer:
    """Fetch a page. The caller bounds the time.

    HTTP/1.0 is all it takes, for the answer ends where the connection does, and unlike a thread in a library it can
    be broken off at any time.

    Raises:
        ConnectionRefusedError: nobody listens there.
        OSError: nobody answers.
        ValueError: the answer is not HTTP, or is too long.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        reader, writer = await asyncio.open_connection(
            parts.hostname, port, ssl=True if parts.scheme == "https" else None
        )
    except OSError as error:
        # Of a name with several addresses asyncio tells in text alone that none of them took the call.
        if isinstance(error, ConnectionRefusedError) or str(error).startswith("Multiple exceptions"):
            raise ConnectionRefusedError("nobody listens there") from None
        raise
    try:
        writer.write(f"GET {parts.path}{path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answer = bytearray()
        while more := await reader.read(65_536):
            answer += more
            if len(answer) > _MOST_BYTES:
                raise ValueError("the page is too long")
    finally:
        writer.close()
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    first, _, headers = head.partition(b"\r\n")
    protocol, _, status = first.partition(b" ")
    if not protocol.startswith(b"HTTP/"):
        raise ValueError("not HTTP")
    return Answer(int(status[:3]), BytesHeaderParser().parsebytes(headers), body.decode())
