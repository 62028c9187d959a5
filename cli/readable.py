"""Settings as far as they can be read, for commands that go on where a worker would refuse to start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from penstock.cli.options import config_file, service_settings
from penstock.consumer.lane import Sizes
from penstock.consumer.settings import ServiceSettings, WorkerSettings
from penstock.core.configuration import fields_of
from penstock.core.setting_sources import CONFIG_VARIABLE, read_environment, read_file, read_options
from penstock.core.settings import HttpSettings, LimitsSettings, ModelsSettings
from penstock.schemas.errors import ConfigurationError
from penstock.transport.settings import KafkaSettings

SectionT = TypeVar("SectionT", bound=BaseModel)

_ON_THE_COMMAND_LINE: Final = "option "  # how a fault of what was typed begins
_NO_GROUP: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Readable:
    """A service's settings; what is missing or wrong is replaced by its default.

    Attributes:
        file: the TOML file; None where there is none.
        faults: one line each; empty where a worker would start with these settings.
        kafka, worker, limits, http: the sections. `worker.group_id` means nothing where `group_id` is None.
        group_id: the consumer group; None where it is not set.
        models: None where no repository is set.
        given: the settings that somebody has set, as `section.name`.
    """

    file: Path | None
    faults: tuple[str, ...]
    kafka: KafkaSettings
    worker: WorkerSettings
    limits: LimitsSettings
    http: HttpSettings
    group_id: str | None
    models: ModelsSettings | None
    given: frozenset[str]

    @property
    def sizes(self) -> Sizes:
        """What the service lets through."""
        return Sizes.of(self.worker, self.limits)


def read_settings(config: Path | None, bootstrap_servers: str | None, overrides: list[str] | None) -> Readable:
    """Read what can be read; for arguments see `penstock.cli.options.service_settings`.

    Raises:
        ConfigurationError: something is wrong on the command line itself.
    """
    faults: list[str] = []
    try:
        service_settings(config, bootstrap_servers, overrides)
    except ConfigurationError as error:
        faults = str(error).splitlines()
        typed = [fault for fault in faults if fault.startswith(_ON_THE_COMMAND_LINE)]
        if typed:
            raise ConfigurationError("\n".join(typed)) from None
    options = dict(pair.split("=", 1) for pair in overrides or [])
    values = _values(config, {"kafka.bootstrap_servers": bootstrap_servers, **options})
    worker = values.get("worker", {})
    return Readable(
        file=_file(config),
        faults=tuple(faults),
        kafka=_section(KafkaSettings, values.get("kafka", {})),
        worker=_section(WorkerSettings, {"group_id": _NO_GROUP, **worker}, {"group_id": _NO_GROUP}),
        limits=_section(LimitsSettings, values.get("limits", {})),
        http=_section(HttpSettings, values.get("http", {})),
        group_id=worker.get("group_id"),
        models=_models(values.get("models", {})),
        given=frozenset(f"{section}.{name}" for section, names in values.items() for name in names),
    )


def _file(config: Path | None) -> Path | None:
    chosen = config_file(config)
    if chosen is None and os.environ.get(CONFIG_VARIABLE):
        return Path(os.environ[CONFIG_VARIABLE])
    return chosen


def _values(config: Path | None, options: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Merge what the sources say, faulty or not, by section and name."""
    fields = dict(fields_of(ServiceSettings))
    known = {name: value for name, value in options.items() if name in fields}
    layers = (
        read_file(ServiceSettings, fields, _file(config)),
        read_environment(ServiceSettings, fields, os.environ),
        read_options(fields, known),
    )
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, values in layer.values.items():
            merged.setdefault(section, {}).update(values)
    return merged


def _models(values: dict[str, Any]) -> ModelsSettings | None:
    repository = values.get("repository")
    return _section(ModelsSettings, values, {"repository": repository}) if repository else None


def _section(kind: type[SectionT], values: dict[str, Any], needed: dict[str, Any] | None = None) -> SectionT:
    """Build a section without what is wrong in it, down to what it needs."""
    kept = dict(values)
    while True:
        try:
            return kind.model_validate(kept)
        except ValidationError as error:
            wrong = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]} & kept.keys()
            if not wrong:  # a rule over several settings, or one that is missing
                return kind.model_validate(needed or {})
            kept = {name: value for name, value in kept.items() if name not in wrong} | (needed or {})
