"""Looks at the health pages and metrics of the worker processes that should run here."""

import asyncio
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import orjson

from penstock.cli.doctor.workers import Page
from penstock.cli.pages.fetch import Answer, default_urls, fetch, place_of
from penstock.core.settings import HttpSettings

# Without prometheus-client, which the light install lacks.
_GROUP: Final = re.compile(r'^penstock_worker_info\{[^}]*\bgroup="([^"]*)"', re.MULTILINE)


async def look_at_workers(
    settings: HttpSettings, processes: int, *, timeout_s: float, wall_clock: Callable[[], float] = time.time
) -> list[Page]:
    """Ask each process that the settings say should run here.

    Args:
        settings: where the first listens; each other adds its number.
        processes: how many.
        timeout_s: bound on each answer, from the call to its last byte.
        wall_clock: seconds since the epoch.
    """
    if not (settings.enabled and settings.port):
        return []
    urls = default_urls(settings.host, settings.port, processes)
    return list(await asyncio.gather(*(_look(url, timeout_s, wall_clock) for url in urls)))


async def _look(url: str, timeout_s: float, wall_clock: Callable[[], float]) -> Page:
    address = place_of(url)
    try:
        async with asyncio.timeout(timeout_s):
            health = await fetch(url, "/health/ready")
    except TimeoutError:
        return Page(address, answers=True, ready=False, reason=f"no answer within {timeout_s:g} s")
    except OSError as error:
        return Page(address, answers=False, reason=error.strerror or str(error))
    except ValueError:
        return Page(address, answers=True, reason="no page of HTTP")
    ahead_s = _ahead_s(health.headers["Date"], wall_clock())
    ready, reason = _ready(health)
    metrics = await _metrics(url, timeout_s)
    group = _GROUP.search(metrics)
    return Page(address, True, ready, reason, bool(metrics), ahead_s, group[1] if group else None)


def _ready(health: Answer) -> tuple[bool | None, str]:
    try:
        said = orjson.loads(health.text)
        return bool(said["ok"]), str(said.get("reason", ""))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None, f"status {health.status}"


async def _metrics(url: str, timeout_s: float) -> str:
    """Return the metrics of a worker, "" where there are none."""
    try:
        async with asyncio.timeout(timeout_s):
            answer = await fetch(url, "/metrics")
    except (OSError, ValueError):
        return ""
    return answer.text if answer.status == 200 and "penstock_" in answer.text else ""


def _ahead_s(date: str | None, now_s: float) -> float | None:
    try:
        return parsedate_to_datetime(str(date)).timestamp() - now_s if date else None
    except ValueError:
        return None
