"""The options that several commands share, and the settings they lead to."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

if TYPE_CHECKING:
    from penstock.consumer.settings import ServiceSettings, ToolSettings
    from penstock.core.configuration import Settings

CONFIG_FILE: Final = Path("penstock.toml")

SettingsT = TypeVar("SettingsT", bound="Settings")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="TOML file with settings; by default $PENSTOCK_CONFIG, else ./penstock.toml.",
        dir_okay=False,
    ),
]  # fmt: skip
BootstrapServers = Annotated[
    str | None, typer.Option("--bootstrap-servers", "-b", help="Kafka, as host:port,host:port.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Any other setting; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def config_file(given: Path | None) -> Path | None:
    """Return the file that settings are read from: the one given, else `penstock.toml` of the current folder.

    None leaves it to `PENSTOCK_CONFIG`, which wins over the file that merely lies there, or means that there is none.
    """
    from penstock.core.setting_sources import CONFIG_VARIABLE

    if given is None and CONFIG_VARIABLE not in os.environ and CONFIG_FILE.is_file():
        return CONFIG_FILE
    return given


def tool_settings(
    config: Path | None, bootstrap_servers: str | None, overrides: list[str] | None, **more: object
) -> "ToolSettings":
    """Build the settings of a command that works beside the worker. Nothing is required.

    Args:
        config: what the option `Config` said.
        bootstrap_servers: what the option `BootstrapServers` said.
        overrides: what the option `Overrides` said.
        **more: other options as `section__name`; None is an option that was not given.

    Raises:
        ConfigurationError: one line for each fault.
    """
    from penstock.consumer.settings import ToolSettings

    return partial_settings(ToolSettings, config, bootstrap_servers, overrides, **more)


def service_settings(
    config: Path | None, bootstrap_servers: str | None, overrides: list[str] | None, **more: object
) -> "ServiceSettings":
    """Build the settings of a whole service; for arguments and errors see `tool_settings`."""
    from penstock.consumer.settings import ServiceSettings

    return partial_settings(ServiceSettings, config, bootstrap_servers, overrides, **more)


def partial_settings(
    settings_class: type[SettingsT],
    config: Path | None,
    bootstrap_servers: str | None,
    overrides: list[str] | None,
    **more: object,
) -> SettingsT:
    """Build a part of a service's settings, a root class of its own; for the rest see `tool_settings`."""
    from penstock.consumer.settings import ServiceSettings
    from penstock.core.configuration import load

    options = given_settings(bootstrap_servers, overrides, **more)
    return load(settings_class, file=config_file(config), overrides=options, among=ServiceSettings)


def given_settings(bootstrap_servers: str | None, overrides: list[str] | None, **more: object) -> dict[str, object]:
    """Return the settings of the command line by `section.name`; for the arguments see `tool_settings`."""
    return {
        **{name.replace("__", ".", 1): value for name, value in more.items()},
        "kafka.bootstrap_servers": bootstrap_servers,
        **_parsed(overrides or []),
    }


def _parsed(pairs: list[str]) -> dict[str, object]:
    parsed: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair!r} is not SECTION.NAME=VALUE", param_hint="--set")
        parsed[name.strip()] = value
    return parsed
