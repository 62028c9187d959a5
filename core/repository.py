"""A folder of models in Triton's layout: `<model>/<version>/model.onnx` or `model.py`, and `<model>/config.pbtxt`.

Source: triton-inference-server/server, docs/user_guide/model_repository.md. The folder is read anew on every call,
so a version that appears while the service runs can be loaded.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from penstock.core.model import Model
from penstock.core.onnx_model import OnnxModel
from penstock.core.python_model import load_python_model
from penstock.core.repository_layout import RepositoryLayout
from penstock.core.settings import ServedModelsSettings
from penstock.core.triton_config import Backend, TritonConfig
from penstock.core.triton_parser import read_config
from penstock.schemas.errors import ConfigurationError, ModelError

_FILENAMES: Final[dict[Backend, str]] = {"onnxruntime": "model.onnx", "python": "model.py"}


class ModelRepository:
    """What can be served from a folder. Holds no model: what `load` returns is the caller's to close."""

    def __init__(
        self,
        path: Path,
        *,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        intra_op_threads: int = 1,
    ) -> None:
        """Open a repository.

        Args:
            path: the folder.
            providers: ONNX Runtime's execution providers for ONNX models, the preferred first.
            intra_op_threads: threads that share the work of one batch of an ONNX model.

        Raises:
            ConfigurationError: the folder is missing, is no folder, or cannot be read.
        """
        self._layout = RepositoryLayout(path)
        self._providers = tuple(providers)
        self._intra_op_threads = intra_op_threads

    def models(self) -> dict[str, list[str]]:
        """Return the served versions of every model, ascending, by its `version_policy`.

        Raises:
            ConfigurationError: there is no model.
            ModelError: one line for each model that cannot be served.
        """
        found: dict[str, list[str]] = {}
        faults = []
        for name in self._layout.names():
            try:
                found[name] = self.served(name)
            except ModelError as error:
                faults.append(str(error))
        if not found and (misplaced := self._layout.misplaced()):
            raise ConfigurationError(misplaced)
        if faults:
            raise ModelError("\n".join(faults))
        if not found:
            raise ConfigurationError(
                f"model repository {self._layout.path} is empty: it needs <model>/<version>/model.onnx"
            )
        return found

    def names(self) -> list[str]:
        """Return the names of all model folders, in order; one may still be a bad name, or hold no model."""
        return self._layout.names()

    def served(self, name: str) -> list[str]:
        """Return the versions of a model that its `version_policy` serves, ascending.

        Raises:
            ModelError: there is no such model, or it has no version to serve, or one without a model file.
        """
        config = self.config(name)
        versions = self.versions(name)
        absent = [str(version) for version in config.policy.specific if str(version) not in versions]
        if absent:
            raise ModelError(f"{config.place}: version_policy names {', '.join(absent)}, which is not there")
        served = [str(version) for version in config.policy.select(map(int, versions))]
        for version in served:
            self._file(name, version, config)
        return served

    def versions(self, name: str) -> list[str]:
        """Return all versions of a model on disk, ascending, whatever its `version_policy`.

        Raises:
            ModelError: there is no such model, or it has no version.
        """
        return self._layout.versions(name)

    def config(self, name: str) -> TritonConfig:
        """Return what the model's config.pbtxt says, or the defaults where there is none.

        Raises:
            ModelError: there is no such model, or the file is faulty.
        """
        path = self._layout.config_file(name)
        return read_config(path, model=name) if path.exists() else TritonConfig(place=str(path))

    def file(self, name: str, version: str) -> Path:
        """Return the model file of a version, served or not.

        Raises:
            ModelError: there is no such model or version, or not one model file.
        """
        return self._file(name, version, self.config(name))

    def load(self, name: str, version: str | None = None) -> Model:
        """Load a model; it is not warmed up yet.

        Args:
            name: the model.
            version: any version on disk, served by the `version_policy` or not; None takes the highest served.

        Raises:
            ModelError: there is no such model or version, or it cannot be loaded.
        """
        config = self.config(name)
        if version is None:
            version = self.served(name)[-1]
        elif version not in self.versions(name):
            raise ModelError(f"model {name!r} has no version {version!r}; it has {', '.join(self.versions(name))}")
        path = self._file(name, version, config)
        if path.suffix == ".py":
            return load_python_model(name, version, path, config=config)
        return OnnxModel(
            name,
            version,
            path,
            providers=self._providers,
            intra_op_threads=self._intra_op_threads,
            config=config,
        )

    def _file(self, name: str, version: str, config: TritonConfig) -> Path:
        if config.filename:
            return self._layout.model_file(name, version, [config.filename])
        backends = [config.backend] if config.backend else list(_FILENAMES)
        return self._layout.model_file(name, version, [_FILENAMES[backend] for backend in backends])

    def __repr__(self) -> str:
        return f"<ModelRepository {self._layout.path}>"


def open_repository(settings: ServedModelsSettings) -> ModelRepository:
    """Open the repository of the settings.

    Raises:
        ConfigurationError: none is set, or it is missing, is no folder, or cannot be read.
    """
    if settings.repository is None:
        raise ConfigurationError("models.repository: required, where the program brings no models itself")
    return ModelRepository(
        settings.repository, providers=settings.providers, intra_op_threads=settings.intra_op_threads
    )


def wanted(repository: ModelRepository, settings: ServedModelsSettings) -> dict[str, list[str]]:
    """Return the versions to serve of each model that the settings want; see `check_default` for the default one.

    Raises:
        ConfigurationError: there is no model.
        ModelError: a model cannot be served, or one to load is not there.
    """
    return {name: repository.served(name) for name in settings.load} if settings.load else repository.models()


def check_default(settings: ServedModelsSettings, available: Iterable[str], where: str) -> None:
    """Hold the settings to name a default model that is available; `where` says among which.

    Raises:
        ConfigurationError: it is not.
    """
    if settings.default is not None and settings.default not in available:
        there = ", ".join(sorted(available))
        raise ConfigurationError(f"models.default: no model {settings.default!r} in {where}; there is: {there}")
