"""Settings as far as they can be read, for commands that go on where a worker would refuse to start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from penstock.cli.options import config_file, given_settings
from penstock.consumer.lane import Sizes
from penstock.consumer.settings import ServiceSettings, WorkerSettings
from penstock.core.configuration import file_of, load_partial
from penstock.core.settings import HttpSettings, LimitsSettings, ModelsSettings
from penstock.schemas.errors import ConfigurationError
from penstock.transport.settings import KafkaSettings

SectionT = TypeVar("SectionT", bound=BaseModel)

_NO_GROUP: Final = "unknown"
# Where a fault puts in doubt which cluster is meant: its section, or a file that cannot be read.
_OF_KAFKA: Final = ("kafka", "")


@dataclass(frozen=True, slots=True)
class Readable:
    """A service's settings; what is missing or wrong is replaced by its default.

    Attributes:
        file: the TOML file; None where there is none.
        faults: one line each; empty where a worker would start with these settings.
        kafka_faulty: the cluster that is meant is not known: `kafka` has the defaults, and must not be connected to.
        kafka, worker, limits, http: the sections. `worker.group_id` means nothing where `group_id` is None.
        group_id: the consumer group; None where it is not set.
        models: None where no repository is set.
        given: the settings that somebody has set, as `section.name`.
    """

    file: Path | None
    faults: tuple[str, ...]
    kafka_faulty: bool
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
    file = config_file(config)
    read = load_partial(ServiceSettings, file=file, overrides=given_settings(bootstrap_servers, overrides))
    typed = [fault.text for fault in read.faults if fault.kind == "option"]
    if typed:
        raise ConfigurationError("\n".join(typed))
    values = read.values
    kafka_faulty = any(fault.section in _OF_KAFKA for fault in read.faults)
    group_id = values["worker"].get("group_id")
    return Readable(
        file=file_of(file),
        faults=tuple(fault.text for fault in read.faults),
        kafka_faulty=kafka_faulty,
        kafka=KafkaSettings() if kafka_faulty else KafkaSettings.model_validate(values["kafka"]),
        worker=_section(WorkerSettings, {"group_id": _NO_GROUP, **values["worker"]}, {"group_id": _NO_GROUP}),
        limits=_section(LimitsSettings, values["limits"]),
        http=_section(HttpSettings, values["http"]),
        group_id=group_id,
        models=_models(values["models"]),
        given=frozenset(f"{section}.{name}" for section, names in values.items() for name in names),
    )


def _models(values: Mapping[str, Any]) -> ModelsSettings | None:
    repository = values.get("repository")
    return _section(ModelsSettings, values, {"repository": repository}) if repository else None


def _section(kind: type[SectionT], values: Mapping[str, Any], needed: Mapping[str, Any] | None = None) -> SectionT:
    """Build a section without what is wrong in it, down to what it needs."""
    kept = dict(values)
    while True:
        try:
            return kind.model_validate(kept)
        except ValidationError as error:
            wrong = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]} & kept.keys()
            if not wrong:  # a rule over several settings, or one that is missing
                return kind.model_validate(needed or {})
            kept = {name: value for name, value in kept.items() if name not in wrong} | dict(needed or {})
