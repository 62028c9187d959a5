"""Ask worker processes for their metrics pages, many at once, none for longer than two seconds."""

import asyncio
import time
from typing import Final

import orjson

from penstock.cli.pages.fetch import Answer, default_urls, fetch
from penstock.cli.pages.sample import Sample, Silence, read_sample
from penstock.cli.terminal import printable

_TIMEOUT_S: Final = 2.0
_WIDER: Final = 8  # processes looked for beside the first one, where that one does not answer


async def look(url: str) -> Sample | Silence:
    """Ask one process for its metrics and whether it is ready. Never raises.

    Args:
        url: `http://host:port`; below it lie `/metrics` and `/health/ready`.
    """
    at = time.monotonic()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            metrics = await fetch(url, "/metrics")
            health = await fetch(url, "/health/ready")
        if metrics.status != 200:
            return Silence(url, at, f"/metrics is answered with status {metrics.status}")
        return read_sample(url, at, metrics.text, _why_not_ready(health))
    except TimeoutError:
        return Silence(url, at, f"no answer within {_TIMEOUT_S:g} s")
    except OSError as error:
        gone = isinstance(error, ConnectionRefusedError)
        return Silence(url, at, printable(error.strerror or str(error)), gone)
    except (ValueError, KeyError):  # a figure without the labels that a worker gives it is none of a worker's
        return Silence(url, at, "something else than a Penstock worker answers")
    except Exception as error:  # is said in this one's place, where the others' figures go on
        return Silence(url, at, unforeseen(error))


def unforeseen(error: Exception) -> str:
    """Say of an error that nobody foresaw what it is, in one line."""
    return printable(f"unforeseen {type(error).__name__}: {error}".partition("\n")[0])


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


def _why_not_ready(health: Answer) -> str | None:
    if health.status == 200:
        return None
    try:
        return printable(str(orjson.loads(health.text)["reason"]))
    except (ValueError, KeyError, TypeError):
        return f"/health/ready is answered with status {health.status}"
