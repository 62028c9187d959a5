"""The demo's workers: `penstock worker` as a user would start it, with settings in the environment."""

import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from penstock.schemas.errors import PenstockError

_READY_S: Final = 60.0
_STOP_S: Final = 20.0


class DemoError(PenstockError):
    """The demo could not be carried through."""


@asynccontextmanager
async def workers(
    bootstrap_servers: str, folder: Path, requests: str, replies: str, processes: int
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Start worker processes, and stop them at the end.

    Args:
        bootstrap_servers: of the broker.
        folder: holds the model repository, and gets the log.
        requests: the request topic.
        replies: the reply topic.
        processes: how many.

    Yields:
        What to await until all of them are ready. Raises: DemoError.
    """
    from penstock.broker.ports import free_ports

    first = free_ports(1)[0]
    log = folder / "workers.log"
    settings = {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
        "PENSTOCK_WORKER__REQUEST_TOPICS": requests,
        "PENSTOCK_WORKER__REPLY_TOPIC": replies,
        "PENSTOCK_WORKER__GROUP_ID": "demo",
        "PENSTOCK_WORKER__PROCESSES": str(processes),
        "PENSTOCK_MODELS__REPOSITORY": str(folder / "models"),
        "PENSTOCK_HTTP__PORT": str(first),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "penstock.cli.main", "worker", env=inherited | settings, stderr=stream,
            cwd=folder,  # where no penstock.toml of the user's lies
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its workers
        )  # fmt: skip

    async def ready() -> None:
        deadline = time.monotonic() + _READY_S
        for port in range(first, first + processes):
            while not await asyncio.to_thread(_is_ready, port):
                if process.returncode is not None or time.monotonic() > deadline:
                    raise DemoError(f"the workers did not start:\n{log.read_text(errors='replace')[-2000:]}")
                await asyncio.sleep(0.1)

    try:
        yield ready
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
