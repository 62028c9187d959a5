"""Where things lie in a model repository. Knows names, folders and links, and opens no file."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from penstock.core.settings import NAME
from penstock.schemas.errors import ConfigurationError, ModelError
from penstock.schemas.logger import Logger

log = Logger(__name__)

# Triton ignores version folders "not numerically named, or [with] names that start with zero".
VERSION: Final = re.compile(r"[1-9][0-9]{0,18}")
_CUSTOM_CONFIGS: Final = "configs"  # where Triton keeps other configurations of a model


class RepositoryLayout:
    """The paths of a repository, checked: no name and no symbolic link leads out of it.

    Attributes:
        path: the repository, as it was given.
    """

    def __init__(self, path: Path) -> None:
        """Check the folder.

        Raises:
            ConfigurationError: it is missing, is no folder, or cannot be read.
        """
        fault = None if path.is_dir() else "is not a folder" if path.exists() else "does not exist"
        if fault is None and not os.access(path, os.R_OK | os.X_OK):
            fault = "cannot be read"
        if fault is not None:
            raise ConfigurationError(f"model repository {path} {fault}; --repository, or models.repository, names it")
        self.path = path
        self._root = path.resolve()

    def names(self) -> list[str]:
        """Return the names of all model folders, in order; they may still be bad names."""
        return _folders(self.path)

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, ascending; folders that are none are ignored with a warning.

        Raises:
            ModelError: there is no such model, or it has no version.
        """
        folder = self.model_folder(name)
        children = _folders(folder)
        found = [child for child in children if VERSION.fullmatch(child)]
        if not found:
            loose = _model_files(folder)
            hint = self._hint() or (f"; move {loose[0]} into it" if loose else "")
            raise ModelError(f"model {name!r} has no version: {folder} needs a folder such as 1{hint}")
        for child in children:
            if child not in found and child != _CUSTOM_CONFIGS:
                log.warning("not a version, ignored", model=name, folder=child)
        return sorted(found, key=int)

    def misplaced(self) -> str | None:
        """Say which folder was probably meant, where this one is a level too deep or too high; None where it isn't."""
        try:
            return self._misplaced(self.path if self.path.name not in ("", "..") else self._root)
        except (ModelError, OSError):  # a folder beside it that cannot be read; it was a guess only
            return None

    def _misplaced(self, here: Path) -> str | None:
        if _has_versions(here):
            what, meant = "is one model's folder; the repository is the one above it", str(here.parent)
        elif VERSION.fullmatch(here.name) and _model_files(here):
            what, meant = "is a version of a model; the repository is two folders above it", str(here.parent.parent)
        else:
            below = [child for child in _folders(here) if any(map(_has_versions, _paths(here / child)))]
            if not below:
                return None
            others = "".join(f" or {here / child}" for child in below[1:3])
            what, meant = "holds no models; a folder in it does", f"{here / below[0]}{others}"
        return f"{self.path} {what}: --repository {meant}"

    def _hint(self) -> str:
        misplaced = self.misplaced()
        return f".\n{misplaced}" if misplaced else ""

    def config_file(self, name: str) -> Path:
        """Return where the model's config.pbtxt is, or would be.

        Raises:
            ModelError: there is no such model.
        """
        return self.inside(self.model_folder(name) / "config.pbtxt")

    def model_file(self, name: str, version: str, filenames: Sequence[str]) -> Path:
        """Return the one file of a version's folder that has one of the names.

        Raises:
            ModelError: there is none, or more than one, or it is neither .onnx nor .py.
        """
        folder = self.inside(self.model_folder(name) / version)
        there = [filename for filename in filenames if (folder / filename).is_file()]
        if not there:
            raise ModelError(f"{name}@{version} has no {' or '.join(filenames)} in {folder}")
        if len(there) > 1:
            raise ModelError(f"{name}@{version} has {' and '.join(there)}; a config.pbtxt must name the backend")
        if Path(there[0]).suffix not in (".onnx", ".py"):
            raise ModelError(f"{name}@{version}: {there[0]} is neither .onnx nor .py")
        return self.inside(folder / there[0])

    def model_folder(self, name: str) -> Path:
        """Return the folder of a model.

        Raises:
            ModelError: there is no such model.
        """
        if not NAME.fullmatch(name):
            raise ModelError(f"{name!r} is no model name: it may have letters, digits, '.', '_' and '-'")
        folder = self.path / name
        if not folder.is_dir():
            there = "; there is " + ", ".join(self.names()) if self.names() else ""
            raise ModelError(f"there is no model {name!r} in {self.path}{self._hint() or there}")
        return self.inside(folder)

    def inside(self, path: Path) -> Path:
        """Return a path that does not lead out of the repository.

        Raises:
            ModelError: it does.
        """
        if not path.resolve().is_relative_to(self._root):
            raise ModelError(f"{path} leads outside the model repository")
        return path


def _has_versions(folder: Path) -> bool:
    return any(VERSION.fullmatch(path.name) and _model_files(path) for path in _paths(folder))


def _paths(parent: Path) -> list[Path]:
    return [parent / name for name in _folders(parent)]


def _model_files(folder: Path) -> list[str]:
    named = (path for path in folder.iterdir() if path.suffix == ".onnx" or path.name == "model.py")
    return sorted(path.name for path in named if path.is_file())


def _folders(parent: Path) -> list[str]:
    try:
        children = sorted(parent.iterdir())
    except OSError as error:
        raise ModelError(f"{parent} cannot be read: {error}") from error
    # Hidden folders are other people's: .git, and the ..data of a Kubernetes volume.
    return [child.name for child in children if child.is_dir() and not child.name.startswith(".")]
