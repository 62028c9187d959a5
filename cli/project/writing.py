"""Put the files of a project into a folder, and never over anything that lies there."""

import os
from collections.abc import Mapping
from pathlib import Path

from penstock.schemas.errors import PenstockError


class ProjectError(PenstockError):
    """A project could not be written."""


def in_the_way(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Return the names among `texts` that the folder holds with another content.

    Raises:
        ProjectError: the folder cannot be read.
    """
    try:
        return [filename for filename, text in texts.items() if not _holds(folder / filename, text, missing=True)]
    except OSError as error:
        raise ProjectError(f"{error.filename or folder} cannot be read: {error.strerror}") from None


def write(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Write the files that are not there yet, and return their names.

    Args:
        folder: made if it is not there.
        texts: content by file name.

    Raises:
        ProjectError: the system refuses. What was written stays, and the next call goes on from there.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for filename, text in texts.items():
            if not _holds(folder / filename, text, missing=False):
                # "x" makes a file, and fails where there is one after all, or a link.
                with (folder / filename).open("x", encoding="utf-8", newline="\n") as file:
                    file.write(text)
                written.append(filename)
    except OSError as error:
        raise ProjectError(
            f"{error.filename or folder} cannot be written: {error.strerror}.\nName a folder that you may write to."
        ) from None
    return written


def _holds(path: Path, text: str, *, missing: bool) -> bool:
    if not os.path.lexists(path):
        return missing
    return path.is_file() and path.read_bytes() == text.encode()
