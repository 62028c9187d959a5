"""One face for all model repositories: what there is, what it is, and how it is loaded."""

from dataclasses import dataclass

from penstock.core.model import Model, Signature
from penstock.core.repository import ModelRepository, open_repository
from penstock.core.settings import ServedModelsSettings
from penstock.core.store.aliases import LATEST
from penstock.core.store.manifest import signature_of
from penstock.schemas.errors import ModelError


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """What is known of a version before it is loaded.

    Attributes:
        size: bytes of all its files.
        verified: whether it has a manifest, against which each load checks all its files.
        signature: what it takes and gives, by manifest and config.pbtxt; None where it has no manifest.
        digest: sha256 of the manifest in hexadecimal, which holds those of all files; empty where there is none.
    """

    size: int
    verified: bool
    signature: Signature | None
    digest: str


class ModelStore:
    """The versions of a repository, in a folder or far away. Every method may block: call it off the event loop.

    Holds no model: what `load` returns is the caller's to warm up and to close.

    Attributes:
        repository: what is behind it.
    """

    def __init__(self, repository: ModelRepository) -> None:
        """Open a store on a repository."""
        self.repository = repository

    def names(self) -> list[str]:
        """Return the names of all models, in order.

        Raises:
            ModelError: the repository cannot be reached.
        """
        return self.repository.names()

    def versions(self, name: str) -> list[str]:
        """Return all versions of a model, ascending, whether the `version_policy` serves them or not.

        Raises:
            ModelError: there is no such model, it has no version, or the repository cannot be reached.
        """
        return self.repository.versions(name)

    def resolve(self, name: str, version_name: str) -> str:
        """Return the version that a name means: a version itself, 'latest' (the highest served), or an alias.

        Raises:
            ModelError: it means none, or one that is not there.
        """
        there = self.versions(name)
        if version_name in there:
            return version_name
        if version_name == LATEST:
            return self.repository.served(name)[-1]
        aliases = self.repository.aliases(name)
        if version_name not in aliases:
            others = f" and aliases {', '.join(sorted(aliases))}" if aliases else ""
            raise ModelError(f"model {name!r} has no {version_name!r}; it has versions {', '.join(there)}{others}")
        if aliases[version_name] not in there:
            raise ModelError(f"model {name!r}: {version_name!r} means {aliases[version_name]}, which is not there")
        return aliases[version_name]

    def describe(self, name: str, version: str) -> VersionInfo:
        """Return what is known of a version without loading or downloading it.

        Raises:
            ModelError: there is no such version, or its manifest is faulty.
        """
        found, signature = self.repository.found(name, version), None
        if found.manifest is not None:
            signature = self.repository.config(name).apply(signature_of(found.manifest))
        return VersionInfo(found.size, found.manifest is not None, signature, found.digest)

    def load(self, name: str, version: str) -> Model:
        """Download a version where it is not on this machine yet, verify and open it. It is not warmed up.

        Raises:
            ModelError: there is no such version, it is not what was published, or it cannot be loaded.
        """
        return self.repository.load(name, version)

    def __repr__(self) -> str:
        return f"<ModelStore {self.repository!r}>"


def open_store(settings: ServedModelsSettings) -> ModelStore:
    """Open the store of the settings.

    Raises:
        ConfigurationError: none is set, it is missing or cannot be read, or what reads its kind is not installed.
    """
    return ModelStore(open_repository(settings))
