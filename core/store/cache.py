"""Versions of a repository that is far away, kept on this machine: each is downloaded once, by one process.

<cache>/iris@3-1f0c9a52e77b4d10         the files, and the manifest, whose sha256 the name begins with
<cache>/iris@3-1f0c9a52e77b4d10.lock    shared by all that use it; held alone to download or to remove it
<cache>/iris@3-1f0c9a52e77b4d10.part    what is being downloaded; the next one who wants it begins anew
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from penstock.core.store.file_lock import take, try_to_take
from penstock.schemas.errors import ModelError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_LOCK: Final = ".lock"
_PART: Final = ".part"


class Held(NamedTuple):
    """A version's folder, which stays until it is let go.

    Attributes:
        folder: with all files of the version.
        release: lets go.
    """

    folder: Path
    release: Callable[[], object]


def default_cache() -> Path:
    """Return the folder by the XDG Base Directory Specification."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return base / "penstock" / "models"


class VersionCache:
    """A folder of versions, shared by all processes of a machine."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Open a cache.

        Args:
            folder: made when it is needed.
            most_bytes: of all versions; only those in use may be more.
        """
        self._folder = folder
        self._most_bytes = most_bytes

    def hold(self, key: str, size: int, fetch: Callable[[Path], None], check: Callable[[Path], None]) -> Held:
        """Return a version, downloaded where it is not there yet; it stays until it is let go.

        Args:
            key: of the version; what it names never changes.
            size: bytes of its files.
            fetch: downloads it into an empty folder.
            check: raises ModelError where the folder is not what it should be.

        Raises:
            ModelError: `fetch` or `check` failed, or the cache cannot be written. Nothing is left behind.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._hold(key, size, fetch, check)
        except OSError as error:
            raise ModelError(
                f"the cache of models, {self._folder}, cannot be used: {error}; see models.cache"
            ) from error

    def _hold(self, key: str, size: int, fetch: Callable[[Path], None], check: Callable[[Path], None]) -> Held:
        folder, lock_file = self._folder / key, self._folder / f"{key}{_LOCK}"
        checked = False
        while True:
            lock = take(lock_file, "shared")
            try:
                if folder.is_dir():
                    if not checked:
                        check(folder)
                    os.utime(lock_file)  # for who makes room: it was used just now
                    return Held(folder, lock.release)
                lock.release()
            except ModelError as error:
                lock.release()
                self._drop_damaged(folder, lock_file, error)
            except BaseException:
                lock.release()
                raise
            with take(lock_file, "alone"):
                if not folder.is_dir():
                    self._download(folder, size, fetch, check)
                    checked = True

    def _download(self, folder: Path, size: int, fetch: Callable[[Path], None], check: Callable[[Path], None]) -> None:
        part = folder.with_name(folder.name + _PART)
        shutil.rmtree(part, ignore_errors=True)  # of one who was killed
        self._make_room(size, folder.name)
        try:
            part.mkdir()
            fetch(part)
            check(part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _drop_damaged(self, folder: Path, lock_file: Path, damage: ModelError) -> None:
        lock = try_to_take(lock_file, "alone")
        if lock is None:
            raise ModelError(f"{damage}.\nThe copy in {folder} is damaged and in use: end what has it loaded first")
        with lock:
            log.warning("damaged copy removed, downloading anew", folder=str(folder), error=str(damage))
            _remove(folder)

    def _make_room(self, wanted: int, key: str) -> None:
        """Remove what was not used for longest, until so many bytes fit beside the rest; never what is in use."""
        kept = sorted((each for each in self._folder.iterdir() if each.suffix == _LOCK and each.stem != key), key=_used)
        total = wanted + sum(map(_size, (each.with_suffix("") for each in kept)))
        for lock_file in kept:
            folder = lock_file.with_suffix("")
            part = folder.with_name(folder.name + _PART)
            if total <= self._most_bytes and not part.exists():
                continue
            lock = try_to_take(lock_file, "alone")
            if lock is None:
                continue
            with lock:
                shutil.rmtree(part, ignore_errors=True)
                if total > self._most_bytes:
                    total -= _size(folder)
                    log.info("removed from the cache to make room", folder=str(folder))
                    _remove(folder)
                    lock_file.unlink(missing_ok=True)
        if total > self._most_bytes:
            log.warning(
                "the cache goes over its limit: nothing more can be removed", bytes=total, limit=self._most_bytes
            )


def _remove(folder: Path) -> None:
    # By a rename first: half a version must never stand under its name.
    part = folder.with_name(folder.name + _PART)
    if folder.is_dir():
        folder.rename(part)
    shutil.rmtree(part, ignore_errors=True)


def _used(lock_file: Path) -> float:
    try:
        return lock_file.stat().st_mtime
    except FileNotFoundError:  # somebody else makes room
        return 0.0


def _size(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    except FileNotFoundError:
        return 0
