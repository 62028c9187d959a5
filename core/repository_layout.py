"""Where things lie in a model repository. Knows names, folders and links, and opens no file."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from penstock.core.settings import NAME
from penstock.schemas.errors import ConfigurationError, ModelError

log = structlog.get_logger(__name__)

# Triton ignores version folders "not numerically named, or [with] names that start with zero".
_VERSION: Final = re.compile(r"[1-9][0-9]{0,18}")
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
        if not path.exists():
            raise ConfigurationError(f"model repository {path} does not exist")
        if not path.is_dir():
            raise ConfigurationError(f"model repository {path} is not a folder")
        if not os.access(path, os.R_OK | os.X_OK):
            raise ConfigurationError(f"model repository {path} cannot be read")
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
        folder = self._model_folder(name)
        found = []
        for child in _folders(folder):
            if _VERSION.fullmatch(child):
                found.append(child)
            elif child != _CUSTOM_CONFIGS:
                log.warning("not a version, ignored", model=name, folder=child)
        if not found:
            raise ModelError(f"model {name!r} has no version: {folder} needs a folder such as 1")
        return sorted(found, key=int)

    def config_file(self, name: str) -> Path:
        """Return where the model's config.pbtxt is, or would be.

        Raises:
            ModelError: there is no such model.
        """
        return self._inside(self._model_folder(name) / "config.pbtxt")

    def model_file(self, name: str, version: str, filenames: Sequence[str]) -> Path:
        """Return the one file of a version's folder that has one of the names.

        Raises:
            ModelError: there is none, or more than one, or it is neither .onnx nor .py.
        """
        folder = self._inside(self._model_folder(name) / version)
        there = [filename for filename in filenames if (folder / filename).is_file()]
        if not there:
            raise ModelError(f"{name}@{version} has no {' or '.join(filenames)} in {folder}")
        if len(there) > 1:
            raise ModelError(f"{name}@{version} has {' and '.join(there)}; a config.pbtxt must name the backend")
        if Path(there[0]).suffix not in (".onnx", ".py"):
            raise ModelError(f"{name}@{version}: {there[0]} is neither .onnx nor .py")
        return self._inside(folder / there[0])

    def _model_folder(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ModelError(f"{name!r} is no model name: it may have letters, digits, '.', '_' and '-'")
        folder = self.path / name
        if not folder.is_dir():
            raise ModelError(f"there is no model {name!r} in {self.path}")
        return self._inside(folder)

    def _inside(self, path: Path) -> Path:
        if not path.resolve().is_relative_to(self._root):
            raise ModelError(f"{path} leads outside the model repository")
        return path


def _folders(parent: Path) -> list[str]:
    try:
        children = sorted(parent.iterdir())
    except OSError as error:
        raise ModelError(f"{parent} cannot be read: {error}") from error
    # Hidden folders are other people's: .git, and the ..data of a Kubernetes volume.
    return [child.name for child in children if child.is_dir() and not child.name.startswith(".")]
