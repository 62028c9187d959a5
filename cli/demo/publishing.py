"""Publishing the second version, by the command that an operator uses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from penstock.cli.demo.guarded import DemoError, GuardedProcess
from penstock.cli.demo.models import CANDIDATE, SWITCHED


@asynccontextmanager
async def publishing(folder: Path) -> AsyncIterator[None]:
    """Publish while the block lasts, and wait at its end until that is done.

    Args:
        folder: of the demo.

    Raises:
        DemoError: it failed.
    """
    place, candidate = str(folder / "models"), str(folder / CANDIDATE)
    process = GuardedProcess(
        ["-m", "penstock.cli.main", "model", "publish", SWITCHED, candidate, "--to", place],
        folder=folder,
        log=folder / "publishing.log",
    )
    try:
        await process.start()
        yield
        if await process.wait():
            raise DemoError(f"{SWITCHED}@2 could not be published: {process.last_lines(1)}")
    finally:
        await process.kill()
