"""A lock between the processes of a machine, held by an open file: it is let go even when its process is killed."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from penstock.schemas.logger import Logger

log = Logger(__name__)


class FileLock:
    """A lock that is held: alone, or together with others that share it. A context that lets go at its end."""

    def __init__(self, descriptor: int) -> None:
        """Keep an open file on which the lock was taken."""
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let go; again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def take(path: Path, kind: Literal["shared", "alone"]) -> FileLock:
    """Take the lock on a file, which is made where it is missing. Waits until those who exclude it are done."""
    taken = try_to_take(path, kind)
    if taken is None:
        log.info("waiting for another process", lock=str(path))
    while taken is None:
        taken = _take(path, _OPERATIONS[kind])
    return taken


def try_to_take(path: Path, kind: Literal["shared", "alone"]) -> FileLock | None:
    """Take the lock on a file, or return None where somebody excludes it."""
    try:
        return _take(path, _OPERATIONS[kind] | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


_OPERATIONS = {"shared": fcntl.LOCK_SH, "alone": fcntl.LOCK_EX}


def _take(path: Path, operation: int) -> FileLock | None:
    """Take it, or return None where the file was removed in the meantime, and the lock with it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, operation)
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return FileLock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
