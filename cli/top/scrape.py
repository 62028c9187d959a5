"""Ask worker processes for their metrics pages, many at once, none for longer than two seconds."""

import asyncio
import time
from typing import Final
from urllib.parse import urlsplit

import orjson

from penstock.cli.top.sample import Sample, Silence, printable, read_sample

_TIMEOUT_S: Final = 2.0
_MOST_BYTES: Final = 8 * 1024 * 1024  # a page of a worker has some 30 kB
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listened on, it is asked at the loopback
_WIDER: Final = 8  # processes looked for beside the first one, where that one does not answer


async def look(url: str) -> Sample | Silence:
    """Ask one process for its metrics and whether it is ready. Never raises.

    Args:
        url: `http://host:port`; below it lie `/metrics` and `/health/ready`.
    """
    at = time.monotonic()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            status, text = await _get(url, "/metrics")
            health = await _get(url, "/health/ready")
        if status != 200:
            return Silence(url, at, f"/metrics is answered with status {status}")
        return read_sample(url, at, text, _why_not_ready(*health))
    except TimeoutError:
        return Silence(url, at, f"no answer within {_TIMEOUT_S:g} s")
    except OSError as error:
        # Of a name with several addresses asyncio tells in text alone that none of them took the call.
        if isinstance(error, ConnectionRefusedError) or str(error).startswith("Multiple exceptions"):
            return Silence(url, at, "nobody listens there", gone=True)
        return Silence(url, at, printable(error.strerror or str(error)))
    except ValueError:
        return Silence(url, at, "something else than a Penstock worker answers")


def default_urls(host: str, port: int, processes: int) -> list[str]:
    """Return where the processes of a service listen: each adds its number to the port."""
    address = _ANY_ADDRESS.get(host, host)
    shown = f"[{address}]" if ":" in address else address
    return [f"http://{shown}:{number}" for number in range(port, min(port + processes, 65_536))]


async def look_around(host: str, port: int, processes: int) -> list[Sample | Silence]:
    """Ask the processes of the service whose first one listens on a port.

    How many there are, each of them says; before, it is what the settings say. Where the first does not answer,
    its next neighbours are asked, and believed if they say that they are one of several.
    """
    found = await _look_at(default_urls(host, port, processes))
    known = processes_of(found, processes)
    if not any(isinstance(each, Sample) for each in found):
        neighbours = await _look_at(default_urls(host, port, _WIDER)[processes:])
        for number, neighbour in enumerate(neighbours, start=processes):
            said = processes_of([neighbour], 0)
            known = max(known, said if said > number else 0)
        found += neighbours
    found = found[:known]
    return found + await _look_at(default_urls(host, port, known)[len(found) :])


def processes_of(looks: list[Sample | Silence], at_least: int) -> int:
    """Return how many processes the service has, by what they say themselves."""
    said = [each.info.get("processes", "") for each in looks if isinstance(each, Sample)]
    return max([at_least, *(min(int(number), 1024) for number in said if number.isdecimal())])


async def _look_at(urls: list[str]) -> list[Sample | Silence]:
    return await asyncio.gather(*map(look, urls))


async def _get(url: str, path: str) -> tuple[int, str]:
    """Get a page: its status and text.

    HTTP/1.0 is all it takes, for the answer ends where the connection does, and unlike a thread in a library it can
    be broken off at any time.

    Raises:
        OSError: nobody answers.
        ValueError: the answer is not HTTP, or is too long.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=True if parts.scheme == "https" else None)
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
    protocol, _, status = head.partition(b" ")
    if not protocol.startswith(b"HTTP/"):
        raise ValueError("not HTTP")
    return int(status[:3]), body.decode()


def _why_not_ready(status: int, text: str) -> str | None:
    if status == 200:
        return None
    try:
        return printable(str(orjson.loads(text)["reason"]))
    except (ValueError, KeyError, TypeError):
        return f"/health/ready is answered with status {status}"
