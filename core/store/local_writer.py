"""Writing to a model repository that is a folder of this machine."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from penstock.core.repository_layout import VERSION
from penstock.core.store.aliases import ALIASES, read_aliases, write_aliases
from penstock.schemas.errors import ConfigurationError, ModelError

_TAKEN: Final = (errno.ENOTEMPTY, errno.EEXIST)


class LocalWriter:
    """A version appears by one rename, which fails where there is one already: two publishers never share a number."""

    def __init__(self, path: Path) -> None:
        """Open a repository; the folder is made where it is missing.

        Raises:
            ConfigurationError: it cannot be made.
        """
        self.place = str(path)
        self._path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"model repository {path} cannot be made: {error.strerror}") from error

    @contextmanager
    def aside(self) -> Iterator[Path]:
        """Lend a folder to build in, on the same disk and out of everybody's sight; it is gone afterwards.

        Raises:
            ModelError: the repository cannot be written.
        """
        try:
            made = tempfile.TemporaryDirectory(dir=self._path, prefix=".publishing-")
        except OSError as error:
            raise ModelError(f"model repository {self._path} cannot be written: {error.strerror}") from error
        with made as folder:
            yield Path(folder)

    def config(self, name: str) -> bytes | None:
        """Return the content of the model's config.pbtxt; None where it has none."""
        path = self._path / name / "config.pbtxt"
        return path.read_bytes() if path.is_file() else None

    def taken(self, name: str) -> set[int]:
        """Return the numbers of the versions that are there, whole or not."""
        folder = self._path / name
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return {int(each) for each in names if VERSION.fullmatch(each)}

    def put(self, folder: Path, name: str, version: str) -> bool:
        """Make a version appear; tell whether its number was free.

        Args:
            folder: what was built aside, as `<name>/<version>` there.
            name: of the model.
            version: of the model.

        Raises:
            ModelError: it cannot be written.
        """
        target = self._path / name / version
        try:
            # A model's first version comes with the model's folder: one without versions would stop a worker's start.
            if not target.parent.exists() and _renamed(folder.parent, target.parent):
                return True
            return _renamed(folder, target)
        except OSError as error:
            raise ModelError(f"{target} cannot be written: {error.strerror}") from error

    def change_aliases(self, name: str, change: Callable[[dict[str, str]], None]) -> None:
        """Change the aliases of a model; several at once wait for each other, and readers see all or nothing.

        Raises:
            ModelError: they cannot be read or written.
        """
        folder = self._path / name
        path = folder / ALIASES
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                aliases = read_aliases(path.read_bytes() if path.exists() else None, name)
                change(aliases)
                _replace(path, write_aliases(aliases))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ModelError(f"{path} cannot be written: {error.strerror}") from error


def _renamed(source: Path, target: Path) -> bool:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()
