"""A model repository that is a folder of this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from penstock.core.repository_layout import RepositoryLayout
from penstock.core.store.aliases import ALIASES
from penstock.core.store.cache import Held
from penstock.core.store.manifest import MANIFEST, Manifest
from penstock.core.store.mlflow import MLMODEL, onnx_file
from penstock.core.store.verification import verify
from penstock.core.triton_config import Backend, TritonConfig
from penstock.core.triton_parser import read_config
from penstock.schemas.errors import ModelError

_FILENAMES: Final[dict[Backend, str]] = {"onnxruntime": "model.onnx", "python": "model.py"}


class LocalSource(RepositoryLayout):
    """The same, with what the small files in it say."""

    @property
    def place(self) -> str:
        """The folder, for messages."""
        return str(self.path)

    def config(self, name: str) -> TritonConfig:
        """Return what the model's config.pbtxt says, or the defaults where there is none.

        Raises:
            ModelError: there is no such model, or the file is faulty.
        """
        path = self.config_file(name)
        return read_config(path, model=name) if path.exists() else TritonConfig(place=str(path))

    def aliases(self, name: str) -> bytes | None:
        """Return the content of the model's aliases; None where it has none.

        Raises:
            ModelError: there is no such model, or the file cannot be read.
        """
        return _content(self.inside(self.model_folder(name) / ALIASES))

    def manifest(self, name: str, version: str) -> bytes | None:
        """Return the content of a version's manifest; None where it has none.

        Raises:
            ModelError: there is no such model, or the file cannot be read.
        """
        return _content(self.inside(self.model_folder(name) / version / MANIFEST))

    def hold(self, name: str, version: str, manifest: Manifest | None, content: bytes) -> Held:
        """Return the folder of a version; one with a manifest is verified.

        Raises:
            ModelError: it is not what was published.
        """
        folder = self.inside(self.model_folder(name) / version)
        if manifest is not None:
            verify(folder, manifest)
        return Held(folder, _nothing)

    def file(self, name: str, version: str, config: TritonConfig) -> tuple[Path, Path]:
        """Return the model's file of a version that has no manifest, and the version's folder.

        Raises:
            ModelError: there is no such version, or not one model file that can be served.
        """
        folder = self.inside(self.model_folder(name) / version)
        if config.filename:
            return self.model_file(name, version, [config.filename]), folder
        if (text := _content(self.inside(folder / MLMODEL))) is not None:
            path = self.inside(folder / onnx_file(f"{name}@{version}", text.decode(errors="replace")))
            if not path.is_file():
                raise ModelError(f"{name}@{version}: its {MLMODEL} names {path}, which is not there")
            return path, folder
        backends: Sequence[Backend] = [config.backend] if config.backend else list(_FILENAMES)
        return self.model_file(name, version, [_FILENAMES[backend] for backend in backends]), folder


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def _nothing() -> None:
    """Let nothing go: a folder of this machine stays."""
