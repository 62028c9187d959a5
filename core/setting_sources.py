"""The three places settings come from, each read into a `Layer` that remembers where a value stood."""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, TomlConfigSettingsSource

PREFIX: Final = "PENSTOCK_"
CONFIG_VARIABLE: Final = "PENSTOCK_CONFIG"
# Kubernetes tells every pod of a namespace where its services are, also where one of them is called penstock.
# Source: kubernetes.io/docs, "Service", environment variables.
_OF_A_SERVICE: Final = re.compile(r"PENSTOCK_([A-Z0-9_]*_)?(SERVICE_(HOST|PORT[A-Z0-9_]*)|PORT(_[0-9]+_[A-Z0-9_]+)?)$")
"""The one variable that is no setting: the path of the TOML file."""

Fields = Mapping[str, FieldInfo]
Kind = Literal["option", "variable", "file"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in the settings.

    Attributes:
        text: one line, with its place.
        section: the section it is in, or was probably meant for; empty for a file that cannot be read at all.
        kind: the source it stands in; None for what is missing, and for a rule over several settings.
    """

    text: str
    section: str
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source says.

    Attributes:
        kind: which source.
        origin: how a message names the place of `section.name` in this source.
        values: by section, then by name; only settings that exist.
        faults: what is unknown or cannot be read.
    """

    kind: Kind
    origin: Callable[[str], str]
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def has(self, key: str) -> bool:
        """Tell whether this source sets `section.name`."""
        section, _, name = key.partition(".")
        return name in self.values.get(section, {})

    def put(self, key: str, value: object) -> None:
        """Set `section.name`."""
        section, _, name = key.partition(".")
        self.values.setdefault(section, {})[name] = value

    def fault(self, text: str, key: str = "") -> None:
        """Add a fault in `section.name`, or in the source as a whole."""
        self.faults.append(Fault(text, key.partition(".")[0], self.kind))


def variable_of(key: str) -> str:
    """Return the environment variable of `section.name`."""
    return PREFIX + key.replace(".", "__").upper()


def _key_of(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower().replace("__", ".", 1)


def read_options(fields: Fields, overrides: Mapping[str, object]) -> Layer:
    """Take options by `section.name`; strings of lists are split, None is left out."""
    layer = Layer("option", lambda key: f"option {key}")
    for key, value in overrides.items():
        if key not in fields:
            meant = nearest(key, fields)
            layer.fault(f"option {key}: unknown setting{_did_you_mean(meant)}", meant or key)
        elif value is not None:
            layer.put(key, _split(fields[key], value))
    return layer


def read_environment(settings_class: type[BaseSettings], fields: Fields, environ: Mapping[str, str]) -> Layer:
    """Take `PENSTOCK_<SECTION>__<NAME>`, lists comma-separated."""
    layer = Layer("variable", variable_of)
    known = {variable_of(key): key for key in fields}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and name != CONFIG_VARIABLE and not _OF_A_SERVICE.match(name):
            meant = _variable_meant(name, fields)
            layer.fault(f"{name}: unknown variable{_did_you_mean(meant)}", _key_of(meant or name))
    source = EnvSettingsSource(settings_class)
    # Not the process's own environment but the one given, and no name that pydantic would half understand.
    source.env_vars = {name.lower(): environ[name] for name in known if name in environ}
    for section, values in source().items():
        for name, value in values.items():
            key = f"{section}.{name}"
            layer.put(key, _split(fields[key], value))
    return layer


def read_file(settings_class: type[BaseSettings], fields: Fields, file: Path | None) -> Layer:
    """Take a TOML file with a table for each section; None is no file."""
    layer = Layer("file", lambda key: f"{file}: {key}")
    if file is None:
        return layer
    if not file.is_file():
        layer.fault(f"{file}: no such file")
        return layer
    try:
        content = TomlConfigSettingsSource(settings_class, file).toml_data
    except tomllib.TOMLDecodeError as error:
        layer.fault(f"{file}: not valid TOML: {error}")
        return layer
    except (OSError, UnicodeDecodeError) as error:
        layer.fault(f"{file}: cannot be read: {error}")
        return layer
    for section, table in content.items():
        if section not in settings_class.model_fields:
            near = difflib.get_close_matches(section, list(settings_class.model_fields), n=1)
            meant = near[0] if near else nearest(f".{section}", fields)
            layer.fault(f"{file}: {section}: unknown section{_did_you_mean(meant)}", meant or section)
        elif not isinstance(table, dict):
            layer.fault(f"{file}: {section}: must be a table, written [{section}]", section)
        else:
            _read_table(layer, fields, section, table)
    return layer


def _read_table(layer: Layer, fields: Fields, section: str, table: dict[str, object]) -> None:
    for name, value in table.items():
        key = f"{section}.{name}"
        if key in fields:
            layer.put(key, value)
        else:
            meant = nearest(key, fields)
            layer.fault(f"{layer.origin(key)}: unknown setting{_did_you_mean(meant)}", meant or key)


def nearest(unknown: str, fields: Fields) -> str | None:
    """Return the setting that was probably meant by `section.name`, or None.

    The same name in another section comes first, then a similar name in this section, then a similar whole.
    """
    section, _, name = unknown.partition(".")
    elsewhere = [key for key in fields if name and key.endswith(f".{name}")]
    here = [key.partition(".")[2] for key in fields if key.startswith(f"{section}.")]
    similar = [f"{section}.{match}" for match in difflib.get_close_matches(name, here, n=1)]
    whole = difflib.get_close_matches(unknown, list(fields), n=1, cutoff=0.7)
    return next(iter(elsewhere + similar + whole), None)


def _variable_meant(unknown: str, fields: Fields) -> str | None:
    if difflib.get_close_matches(unknown.upper(), [CONFIG_VARIABLE], cutoff=0.9):
        return CONFIG_VARIABLE
    key = nearest(_key_of(unknown), fields)
    return variable_of(key) if key else None


def _did_you_mean(name: str | None) -> str:
    return f"; did you mean {name}?" if name else ""


def _split(setting: FieldInfo, value: object) -> object:
    if isinstance(value, str) and get_origin(setting.annotation) in (list, tuple):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value
