"""Files far away, by fsspec: whatever it has a driver for. Its errors are translated here.

Who may read them is the driver's matter: it looks into the environment and the usual files, for S3 as the AWS command
line does. Nothing of it passes through our settings or logs.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from penstock.core.distribution import install_command
from penstock.core.repository_location import shown
from penstock.schemas.errors import ConfigurationError, ModelError, without_frames

# What drivers stand on. At debug level they log requests, signed headers among them.
_TALKATIVE: Final = ("adlfs", "aiobotocore", "azure", "botocore", "fsspec", "gcsfs", "google", "paramiko", "s3fs")


class Remote:
    """A folder behind a URL. Paths are relative to it.

    Attributes:
        place: the URL, for messages.
    """

    def __init__(self, url: str) -> None:
        """Find the driver; nothing is asked yet.

        Raises:
            ConfigurationError: fsspec or the driver is missing, or there is none for such a URL.
        """
        self.place = shown(url)
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise ConfigurationError(
                f"model repository {self.place} is a URL, which needs fsspec: {install_command('remote')}"
            ) from None
        try:
            # Listings are never kept: versions come while the service runs. Nor is a driver that somebody else opened,
            # perhaps with other rights.
            filesystem, self._root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            raise ConfigurationError(f"model repository {self.place}: {error}") from None
        except ValueError as error:
            raise ConfigurationError(f"model repository {self.place} cannot be opened: {error}") from None
        self._files: Any = filesystem
        _hush()

    def files(self, path: str) -> dict[str, int]:
        """Return all files in a folder and those in it, as paths inside it, with their bytes.

        Raises:
            ModelError: it cannot be read.
        """
        with self._translated("list", path):
            self._files.invalidate_cache()
            found = self._files.find(self._full(path), detail=True)
        prefix = f"{self._full(path)}/"
        return {
            name.removeprefix(prefix): int(each.get("size") or 0)
            for name, each in found.items()
            if each["type"] == "file" and name.startswith(prefix)
        }

    def read(self, path: str) -> bytes | None:
        """Return the content of a small file; None where it does not exist.

        Raises:
            ModelError: it cannot be read.
        """
        with self._translated("read", path):
            try:
                content: bytes = self._files.cat_file(self._full(path))
            except FileNotFoundError as error:
                # fsspec keeps the error in a ring with its own frame, and by that all that its callers hold.
                without_frames(error)
                return None
        return content

    def download(self, path: str, to: Path) -> None:
        """Copy a file to this machine.

        Raises:
            ModelError: it does not exist or cannot be read.
        """
        with self._translated("download", path):
            self._files.get_file(self._full(path), str(to))

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that must not be there yet; tell whether it was not.

        S3, Google and Azure look and write in one step; with other drivers another writer may come in between.

        Raises:
            ModelError: it cannot be written.
        """
        with self._translated("write", path):
            try:
                self._writing(path, lambda full: self._files.pipe_file(full, content, mode="create"))
            except FileExistsError:
                return False
        return True

    def write(self, path: str, content: bytes) -> None:
        """Write a file; one that is there is replaced.

        Raises:
            ModelError: it cannot be written.
        """
        with self._translated("write", path):
            self._writing(path, lambda full: self._files.pipe_file(full, content))

    def upload(self, source: Path, path: str) -> None:
        """Copy a file from this machine.

        Raises:
            ModelError: it cannot be written.
        """
        with self._translated("write", path):
            self._writing(path, lambda full: self._files.put_file(str(source), full))

    def _writing(self, path: str, write: Any) -> None:
        full = self._full(path)
        try:
            write(full)
        except FileNotFoundError:
            # Some drivers want the folder first. A bucket is never made: its owner decides where it lies.
            top = full.strip("/").partition("/")[0]
            if not self._files.exists(top):
                raise
            self._files.makedirs(full.rpartition("/")[0], exist_ok=True)
            write(full)

    def _full(self, path: str) -> str:
        root: str = self._root.rstrip("/")
        return f"{root}/{path}" if path else root

    @contextmanager
    def _translated(self, doing: str, path: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # drivers raise what their libraries raise
            reason = (str(error) or type(error).__name__).partition("\n")[0]
            where = f"{self.place}/{path}" if path else self.place
            raise ModelError(f"cannot {doing} {where}: {reason}") from error

    def __repr__(self) -> str:
        return f"<Remote {self.place}>"


def _hush() -> None:
    for name in _TALKATIVE:
        if (logger := logging.getLogger(name)).level == logging.NOTSET:  # else somebody wants it otherwise
            logger.setLevel(logging.WARNING)
