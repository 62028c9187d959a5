"""What lies in a model repository, without loading anything."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from penstock.cli.options import config_file
from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import Settings, load
from penstock.core.repository import ModelRepository
from penstock.core.settings import BatchingSettings, ModelsSettings
from penstock.core.store.model_file import FoundVersion
from penstock.schemas.errors import ConfigurationError, ModelError


class RepositorySettings(Settings):
    """The part of the settings that looking at models needs."""

    model_config = SettingsConfigDict(title="Penstock")

    models: ModelsSettings = Field(description="Which models are served, and how they run.")
    batching: BatchingSettings = Field(default_factory=BatchingSettings, description="How requests are gathered.")


@dataclass(frozen=True, slots=True)
class Listed:
    """A version of a model in a repository.

    Attributes:
        model, version: its names.
        served: whether requests can ask for it.
        highest: whether it answers requests that pin no version.
        aliases: its other names.
        found: what else is known of it.
    """

    model: str
    version: str
    served: bool
    highest: bool
    aliases: tuple[str, ...]
    found: FoundVersion


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


def versions_of(repository: ModelRepository, name: str, served: list[str]) -> list[Listed]:
    """Return every version of a model, ascending; one without a model file is left out unless it is served."""
    found = []
    aliases = repository.aliases(name)
    for version in repository.versions(name):
        try:
            each = repository.found(name, version)
        except ModelError:
            if version in served:
                raise
            continue
        others = tuple(alias for alias, meant in aliases.items() if meant == version)
        found.append(Listed(name, version, version in served, version == served[-1], others, each))
    return found
