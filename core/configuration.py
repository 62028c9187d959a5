"""Load settings from a TOML file, the environment and the command line, and report every fault at once.

Precedence: command line, then `PENSTOCK_<SECTION>__<NAME>`, then the file, then the defaults. The sources
are those of pydantic-settings; what it lacks is here and in `setting_sources`: a fault names the variable,
file key or option it came from, and what nobody knows is an error with a suggestion, not passed over.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from penstock.core.setting_sources import (
    CONFIG_VARIABLE,
    PREFIX,
    Fault,
    Kind,
    Layer,
    read_environment,
    read_file,
    read_options,
    variable_of,
)
from penstock.schemas.errors import ConfigurationError

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_SHOWN_CHARACTERS: Final = 60  # of a faulty value: enough to recognise it

# pydantic's own words, where they speak of Python rather than of settings.
_PLAIN_WORDS: Final = {
    "tuple_type": "must be a list",
    "model_type": "must be a table of settings",
    "extra_forbidden": "unknown setting",
}


class Settings(BaseSettings):
    """The base of a root settings class: its fields are sections, each a pydantic model.

    Building one by hand reads nothing but its arguments; only `load` looks at files and variables, so that a
    test or an embedding program never picks up settings it did not ask for.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,  # lists are comma-separated, not JSON
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the reading to `load`."""
        return (init_settings,)


def load(
    settings_class: type[SettingsT],
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] = _NOTHING,
    among: type[BaseSettings] | None = None,
) -> SettingsT:
    """Build settings from every source.

    Args:
        settings_class: the root; every field of it is a section, a pydantic model.
        among: the root of all settings, where `settings_class` is a part of them: the other settings may be set,
            and are passed over. None is the class itself.
        file: the TOML file; None takes the one that `PENSTOCK_CONFIG` names, if any.
        environ: the environment.
        overrides: from the command line, by `section.name`; None is an option that was not given.

    Raises:
        ConfigurationError: one line for each fault. A rule over several settings is only checked once those
            are valid by themselves.
    """
    layers = _layers(among or settings_class, file_of(file, environ), environ, overrides)
    settings, faults = _judged(settings_class, layers, among)
    if faults or settings is None:
        raise ConfigurationError("\n".join(fault.text for fault in faults))
    return settings


@dataclass(frozen=True, slots=True)
class Partial:
    """What the sources say, faulty or not.

    Attributes:
        values: of each section, by name, as they stand; only settings that exist and that somebody has set.
        faults: what keeps `load` from building settings of it.
    """

    values: Mapping[str, Mapping[str, Any]]
    faults: tuple[Fault, ...]


def load_partial(
    settings_class: type[BaseSettings],
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] = _NOTHING,
) -> Partial:
    """Return what the sources say and what is wrong with it, with the arguments of `load`."""
    layers = _layers(settings_class, file_of(file, environ), environ, overrides)
    _, faults = _judged(settings_class, layers)
    return Partial(_merged(settings_class, layers), tuple(faults))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting's value comes from.

    Attributes:
        kind: which source.
        place: the variable's name or the file's path; empty for the others.
        value: as it stands there, or the default; None where there is none.
    """

    kind: Kind | Literal["default"]
    place: str
    value: Any


def origins(
    settings_class: type[BaseSettings],
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] = _NOTHING,
) -> dict[str, Origin]:
    """Return where each setting's value comes from, by `section.name`, with the arguments of `load`.

    Faults are passed over: a value that is one is there as it stands.
    """
    fields = dict(fields_of(settings_class))
    path = file_of(file, environ)
    layers = _layers(settings_class, path, environ, overrides)
    found: dict[str, Origin] = {}
    for key, field in fields.items():
        section, _, name = key.partition(".")
        places = {"option": "", "variable": variable_of(key), "file": str(path)}
        layer = next((layer for layer in layers if layer.has(key)), None)
        if layer is None:
            found[key] = Origin("default", "", None if field.is_required() else field.get_default())
        else:
            found[key] = Origin(layer.kind, places[layer.kind], layer.values[section][name])
    return found


def file_of(file: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that settings are read from: the one given, else what `PENSTOCK_CONFIG` names, if any."""
    configured = environ.get(CONFIG_VARIABLE)
    return file or (Path(configured) if configured else None)


def fields_of(settings_class: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting as `section.name` with its field: for suggestions, and for generated docs."""
    for section, section_field in settings_class.model_fields.items():
        kind = section_field.annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            raise TypeError(f"{settings_class.__name__}.{section} is not a section: {kind}")
        for name, field in kind.model_fields.items():
            yield f"{section}.{name}", field


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting's value must never be shown."""
    kinds = getattr(field.annotation, "__args__", (field.annotation,))
    return any(kind in (SecretStr, SecretBytes) for kind in kinds)


def _layers(
    settings_class: type[BaseSettings],
    file: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
) -> list[Layer]:
    """Read every source, the strongest first."""
    fields = dict(fields_of(settings_class))
    return [
        read_options(fields, overrides),
        read_environment(settings_class, fields, environ),
        read_file(settings_class, fields, file),
    ]


def _judged(
    settings_class: type[SettingsT], layers: list[Layer], among: type[BaseSettings] | None = None
) -> tuple[SettingsT | None, list[Fault]]:
    """Build the settings, and return them with all faults; None where they cannot be built."""
    faults = [fault for layer in layers for fault in layer.faults]
    try:
        return settings_class.model_validate(_merged(settings_class, layers)), faults
    except ValidationError as error:
        # Not chained to anything that is raised: pydantic's error holds its input, with the secrets.
        fields = dict(fields_of(among or settings_class))
        return None, [*faults, *(_described(detail, fields, layers) for detail in error.errors())]


def _merged(settings_class: type[BaseSettings], layers: list[Layer]) -> dict[str, dict[str, Any]]:
    # Sections that nobody mentions are there too, so that each missing setting is named, not its section.
    merged: dict[str, dict[str, Any]] = {section: {} for section in settings_class.model_fields}
    wanted = {key for key, _ in fields_of(settings_class)}
    for layer in reversed(layers):
        for section, values in layer.values.items():
            for name, value in values.items():
                if f"{section}.{name}" in wanted:
                    merged[section][name] = value
    return merged


def _described(detail: ErrorDetails, fields: Mapping[str, FieldInfo], layers: list[Layer]) -> Fault:
    section, *rest = (str(part) for part in detail["loc"]) if detail["loc"] else ("settings",)
    key = ".".join([section, *rest[:1]])
    if detail["type"] == "missing":
        return Fault(f"{key}: required; set {variable_of(key)}, or {rest[0]} under [{section}] in the file", section)
    layer = next((layer for layer in layers if layer.has(key)), None)
    message = _PLAIN_WORDS.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    if len(rest) > 1 and rest[1].isdigit():
        message = f"item {int(rest[1]) + 1}: {message}"
    shown = detail.get("input")
    ours = detail["type"] == "value_error"  # our own messages already say which value they mean
    if key in fields and not ours and not is_secret(fields[key]) and isinstance(shown, str | int | float):
        message += f", got {str(shown)[:_SHOWN_CHARACTERS]!r}"
    if layer is None:
        return Fault(f"{key}: {message}", section)
    return Fault(f"{layer.origin(key)}: {message}", section, layer.kind)
