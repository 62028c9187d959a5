"""What lies in a model repository, without loading anything."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from penstock.cli.options import config_file
from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import Settings, load
from penstock.core.repository import ModelRepository
from penstock.core.settings import BatchingSettings, ModelsSettings
from penstock.schemas.errors import ConfigurationError, ModelError

_KINDS: Final[dict[str, Literal["onnx", "python"]]] = {".onnx": "onnx", ".py": "python"}


class RepositorySettings(Settings):
    """The part of the settings that looking at models needs."""

    model_config = SettingsConfigDict(title="Penstock")

    models: ModelsSettings = Field(description="Which models are served, and how they run.")
    batching: BatchingSettings = Field(default_factory=BatchingSettings, description="How requests are gathered.")


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A version of a model on disk.

    Attributes:
        model, version: its names.
        served: whether requests can ask for it.
        highest: whether it answers requests that pin no version.
        kind: what runs it.
        path: its file.
        size: bytes of all files of the version.
    """

    model: str
    version: str
    served: bool
    highest: bool
    kind: Literal["onnx", "python"]
    path: Path
    size: int


def repository_settings(config: Path | None, repository: str | None) -> RepositorySettings:
    """Build the settings of a command that looks at models.

    Raises:
        ConfigurationError: one line for each fault.
    """
    overrides = {"models.repository": repository}
    try:
        return load(RepositorySettings, file=config_file(config), overrides=overrides, among=ServiceSettings)
    except ConfigurationError as error:
        if str(error).startswith("models.repository: required"):
            raise ConfigurationError(f"{error}.\nOr name the folder of models with --repository.") from None
        raise


def survey(repository: ModelRepository) -> dict[str, list[str] | ModelError]:
    """Return for each model which versions are served, or why none is.

    Raises:
        ConfigurationError: there is no model; the folder may be one level off.
        ModelError: no model can be served; one line for each.
    """
    found: dict[str, list[str] | ModelError] = {}
    for name in repository.names():
        try:
            found[name] = repository.served(name)
        except ModelError as error:
            found[name] = error
    if all(isinstance(served, ModelError) for served in found.values()):
        repository.models()
    return found


def versions_of(repository: ModelRepository, name: str, served: list[str]) -> list[OnDisk]:
    """Return every version of a model, ascending; one without a model file is left out unless it is served."""
    found = []
    for version in repository.versions(name):
        try:
            path = repository.file(name, version)
        except ModelError:
            if version in served:
                raise
            continue
        files = (file for file in path.parent.rglob("*") if file.is_file() and file.suffix != ".pyc")
        size = sum(file.stat().st_size for file in files)
        highest = version == served[-1]
        found.append(OnDisk(name, version, version in served, highest, _KINDS[path.suffix], path, size))
    return found
