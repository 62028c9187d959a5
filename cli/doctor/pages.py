"""Reads the health pages and metrics of worker processes."""

import asyncio
import http.client
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import orjson

from penstock.cli.doctor.workers import Page
from penstock.core.settings import HttpSettings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a worker listens, not we


async def look_at_workers(
    settings: HttpSettings, processes: int, *, timeout_s: float, wall_clock: Callable[[], float] = time.time
) -> list[Page]:
    """Ask each process that the settings say should run here.

    Args:
        settings: where the first listens; each other adds its number.
        processes: how many.
        timeout_s: bound on each answer.
        wall_clock: seconds since the epoch.
    """
    if not (settings.enabled and settings.port):
        return []
    host = _EVERYWHERE.get(settings.host, settings.host)
    asking = [
        asyncio.to_thread(_look, host, settings.port + number, timeout_s, wall_clock) for number in range(processes)
    ]
    return list(await asyncio.gather(*asking))


def _look(host: str, port: int, timeout_s: float, wall_clock: Callable[[], float]) -> Page:
    address = f"{host}:{port}"
    try:
        status, body, date = _get(host, port, "/health/ready", timeout_s)
    except TimeoutError:
        return Page(address, answers=True, ready=False, reason=f"no answer within {timeout_s:g} s")
    except OSError as error:
        return Page(address, answers=False, reason=error.strerror or str(error))
    except http.client.HTTPException as error:
        return Page(address, answers=True, reason=f"no HTTP ({type(error).__name__})")
    ready, reason = _ready(status, body)
    return Page(address, True, ready, reason, _has_metrics(host, port, timeout_s), _ahead_s(date, wall_clock()))


def _get(host: str, port: int, path: str, timeout_s: float) -> tuple[int, bytes, str | None]:
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["Date"]
    finally:
        connection.close()


def _ready(status: int, body: bytes) -> tuple[bool | None, str]:
    try:
        said = orjson.loads(body)
        return bool(said["ok"]), str(said.get("reason", ""))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None, f"status {status}"


def _has_metrics(host: str, port: int, timeout_s: float) -> bool:
    try:
        status, body, _ = _get(host, port, "/metrics", timeout_s)
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and b"penstock_" in body


def _ahead_s(date: str | None, now_s: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - now_s if date else None
    except ValueError:
        return None
