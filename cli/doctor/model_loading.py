"""Loads the models in another process, with a deadline, and listens to what it tells."""

import asyncio
import contextlib
import signal
import sys
from typing import Any

import orjson

from penstock.cli.doctor.models import ModelsSeen, Tried
from penstock.core.settings import ModelsSettings

_PROCESS = "penstock.cli.doctor.model_process"
_LONGEST_LINE = 16 * 2**20  # bytes; a model's error may hold much of the model


async def load_models(settings: ModelsSettings, *, timeout_s: float) -> ModelsSeen:
    """Load every model that would be served, and run each once.

    Args:
        settings: which, and how.
        timeout_s: bound on all of it.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _PROCESS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LONGEST_LINE,
        start_new_session=True,  # Ctrl-C is for us, who then end it
    )
    lines: list[dict[str, Any]] = []
    died = ""
    try:
        async with asyncio.timeout(timeout_s):
            await _listen(process, settings.model_dump_json().encode(), lines)
            status = await process.wait()
            died = "" if status == 0 else _end(status)
    except TimeoutError:
        died = "timeout"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return _seen(lines, died, timeout_s)


async def _listen(process: asyncio.subprocess.Process, settings: bytes, lines: list[dict[str, Any]]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(settings)
        await process.stdin.drain()
    process.stdin.close()
    async for line in process.stdout:
        lines.append(orjson.loads(line))  # noqa: PERF401 - what came is there also when time is up


def _end(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _seen(lines: list[dict[str, Any]], died: str, limit_s: float) -> ModelsSeen:
    tried = [Tried(**line) for line in lines if "name" in line]
    loading = [line["loading"] for line in lines if "loading" in line]
    return ModelsSeen(
        available=next((line["available"] for line in lines if "available" in line), ()),
        tried=tried,
        unreadable=next((line["unreadable"] for line in lines if "unreadable" in line), ()),
        unfinished=loading[-1] if len(loading) > len(tried) else "",
        died=died,
        limit_s=limit_s,
    )
