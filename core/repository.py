"""Models in Triton's layout: `<model>/<version>/model.onnx` or `model.py`, and `<model>/config.pbtxt`.

Source: triton-inference-server/server, docs/user_guide/model_repository.md. A version may also have a manifest, see
`penstock.core.store.manifest`, and behind a URL it must; an MLflow model with an onnx flavor is one too. All is read
anew on every call, so a version that appears while the service runs can be loaded.
"""

import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from penstock.core.isolation.choice import Isolation, isolation_of
from penstock.core.model import Model
from penstock.core.settings import ServedModelsSettings
from penstock.core.store.aliases import read_aliases
from penstock.core.store.cache import Held, VersionCache, default_cache
from penstock.core.store.local_source import LocalSource
from penstock.core.store.manifest import read_manifest, signature_of
from penstock.core.store.model_file import FoundVersion, open_file
from penstock.core.store.remote import Remote
from penstock.core.store.remote_source import RemoteSource
from penstock.core.triton_config import TritonConfig
from penstock.schemas.errors import ConfigurationError, ModelError

_CPU: Final = ("CPUExecutionProvider",)
_HERE: Final = Isolation()


class ModelRepository:
    """What can be served from a folder or a URL. Holds no model: what `load` returns is the caller's to close."""

    def __init__(
        self,
        where: Path | RemoteSource,
        *,
        providers: Sequence[str] = _CPU,
        intra_op_threads: int = 1,
        isolation: Isolation = _HERE,
    ) -> None:
        """Open a repository.

        Args:
            where: the folder, or what is behind a URL.
            providers: ONNX Runtime's execution providers for ONNX models, the preferred first.
            intra_op_threads: threads that share the work of one batch of an ONNX model.
            isolation: where models run whose config.pbtxt does not say.

        Raises:
            ConfigurationError: the folder is missing, is no folder, or cannot be read.
        """
        self.source = LocalSource(where) if isinstance(where, Path) else where
        self._providers = tuple(providers)
        self._intra_op_threads = intra_op_threads
        self._isolation = isolation

    def models(self) -> dict[str, list[str]]:
        """Return the served versions of every model, ascending, by its `version_policy`.

        Raises:
            ConfigurationError: there is no model.
            ModelError: one line for each model that cannot be served.
        """
        found: dict[str, list[str]] = {}
        faults = []
        for name in self.source.names():
            try:
                found[name] = self.served(name)
            except ModelError as error:
                faults.append(str(error))
        if not found and (misplaced := self.source.misplaced()):
            raise ConfigurationError(misplaced)
        if faults:
            raise ModelError("\n".join(faults))
        if not found:
            raise ConfigurationError(
                f"model repository {self.source.place} is empty: it needs <model>/<version>/model.onnx, "
                "which `penstock model publish` puts there"
            )
        return found

    def names(self) -> list[str]:
        """Return the names of all model folders, in order; one may still be a bad name, or hold no model."""
        return self.source.names()

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
            self._found(name, version, config)
        return served

    def versions(self, name: str) -> list[str]:
        """Return all versions of a model on disk, ascending, whatever its `version_policy`.

        Raises:
            ModelError: there is no such model, or it has no version.
        """
        return self.source.versions(name)

    def config(self, name: str) -> TritonConfig:
        """Return what the model's config.pbtxt says, or the defaults where there is none.

        Raises:
            ModelError: there is no such model, or the file is faulty.
        """
        return self.source.config(name)

    def found(self, name: str, version: str) -> FoundVersion:
        """Return what is known of a version, served or not, without loading it.

        Raises:
            ModelError: there is no such model or version, its manifest is faulty, or it has none and not one model
                file.
        """
        return self._found(name, version, self.config(name))

    def load(self, name: str, version: str | None = None) -> Model:
        """Load a model; it is not warmed up yet. One from a URL is downloaded where it is not on this machine.

        Args:
            name: the model.
            version: any version, served by the `version_policy` or not; None takes the highest served.

        Raises:
            ModelError: there is no such model or version, it is not what was published, or it cannot be loaded.
        """
        config = self.config(name)
        if version is None:
            version = self.served(name)[-1]
        elif version not in (there := self.versions(name)):
            raise ModelError(f"model {name!r} has no version {version!r}; it has {', '.join(there)}")
        found = self._found(name, version, config)
        held = self.hold(found)
        try:
            opening = partial(open_file, found, held.folder, config, self._providers, self._intra_op_threads)
            model = self._isolation.narrowed(config).open(name, version, opening)
            if found.manifest is not None and model.signature != config.apply(signature_of(found.manifest)):
                model.close()
                raise ModelError(f"{name}@{version} takes or gives something else than its manifest says")
        except BaseException:
            held.release()
            raise
        # As long as anybody may run the model, for it may read its files late.
        weakref.finalize(model, held.release)
        return model

    def hold(self, found: FoundVersion) -> Held:
        """Return the folder of a version on this machine, verified where it has a manifest, until it is let go.

        Raises:
            ModelError: it is not what was published, or cannot be downloaded.
        """
        return self.source.hold(found.model, found.version, found.manifest, found.content)

    def aliases(self, name: str) -> dict[str, str]:
        """Return the other names of a model's versions: alias -> version.

        Raises:
            ModelError: there is no such model, or what holds them is faulty.
        """
        return read_aliases(self.source.aliases(name), name)

    def _found(self, name: str, version: str, config: TritonConfig) -> FoundVersion:
        content = self.source.manifest(name, version)
        if content is None:
            path, folder = self.source.file(name, version, config)
            return FoundVersion(name, version, str(path), path.relative_to(folder).as_posix(), None, b"", folder)
        manifest = read_manifest(content, name, version)
        place = f"{self.source.place}/{name}/{version}/{manifest.file}"
        return FoundVersion(name, version, place, manifest.file, manifest, content, None)

    def __repr__(self) -> str:
        return f"<ModelRepository {self.source.place}>"


def open_repository(settings: ServedModelsSettings) -> ModelRepository:
    """Open the repository of the settings.

    Raises:
        ConfigurationError: none is set, or it is missing, is no folder, or cannot be read, or what opens its kind of
            URL is not installed.
    """
    if settings.repository is None:
        raise ConfigurationError("models.repository: required, where the program brings no models itself")
    where: Path | RemoteSource
    if isinstance(settings.repository, Path):
        where = settings.repository
    else:
        cache = VersionCache(settings.cache or default_cache(), settings.cache_bytes)
        where = RemoteSource(Remote(settings.repository), cache)
    return ModelRepository(
        where,
        providers=settings.providers,
        intra_op_threads=settings.intra_op_threads,
        isolation=isolation_of(settings),
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
