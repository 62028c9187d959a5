"""`penstock config`: which settings hold, and where they come from."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.help import HelpfulGroup
from penstock.cli.options import BootstrapServers, Config, Json, Overrides, config_file, given_settings
from penstock.cli.terminal import print_json, print_table
from penstock.schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from penstock.core.configuration import Origin

app = typer.Typer(name="config", cls=HelpfulGroup, help="Show and check the settings.")

_HIDDEN: Final = "********"
_MISSING: Final = "(required)"


@app.command()
def show(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Those that have their defaults too.")] = False,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Show the settings, and where they come from.

    Those that somebody has set come first: by an option, a PENSTOCK_ variable, or the TOML file. What a service
    needs and nobody has set is there too. Passwords are never shown.

    \b
    Examples:
      penstock config show
      penstock config show --all --json
      penstock config show -c production.toml
    """
    from penstock.consumer.settings import ServiceSettings
    from penstock.core.configuration import fields_of, is_secret

    overrides = given_settings(bootstrap_servers, settings)
    found, values, faults = _settled(config, overrides)
    fields = dict(fields_of(ServiceSettings))
    missing = {name for name, origin in found.items() if origin.kind == "default" and fields[name].is_required()}
    names = [name for name, origin in found.items() if origin.kind != "default" or name in missing]
    if all_:
        names += [name for name in found if name not in names]
    shown = {name: _HIDDEN if is_secret(fields[name]) and values[name] is not None else values[name] for name in names}
    if json:
        print_json([_document(name, shown[name], found[name]) for name in names])
    else:
        rows = [
            (name, _MISSING if name in missing else _text(shown[name]), _from(found[name], name in missing))
            for name in names
        ]
        print_table(("setting", "value", "from"), rows)
    others = [fault for fault in faults if not any(fault.startswith(f"{name}: required") for name in missing)]
    if others:
        raise ConfigurationError("\n".join(others))


@app.command()
def check(
    *,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Check all settings of a service, and report every fault.

    Nothing is started, and Kafka is not asked: `penstock doctor` does that. The exit status is 2 where there is a
    fault.

    \b
    Examples:
      penstock config check
      penstock config check -c production.toml
    """
    found, _, faults = _settled(config, given_settings(bootstrap_servers, settings))
    counts = Counter(origin.kind for origin in found.values())
    file = _file(config)
    if json:
        counted = {kind: counts[kind] for kind in ("option", "variable", "file", "default")}
        print_json({"ok": not faults, "file": file and str(file), "settings": counted, "faults": faults})
        raise typer.Exit(2 if faults else 0)
    if faults:
        raise ConfigurationError("\n".join(faults))
    places = [f"{counts['file']} in {file}"] if file else []
    places += [f"{counts['variable']} by variables"] if counts["variable"] else []
    places += [f"{counts['option']} by options"] if counts["option"] else []
    print(f"ok: {', '.join(places) or 'no setting is set'}; the other {counts['default']} have their defaults.")


def _settled(
    config: Path | None, overrides: dict[str, object]
) -> "tuple[dict[str, Origin], dict[str, Any], list[str]]":
    """Return where each setting comes from, its value, as it stands there where there are faults, and the faults."""
    from penstock.consumer.settings import ServiceSettings
    from penstock.core.configuration import load, origins

    file = config_file(config)
    found = origins(ServiceSettings, file=file, overrides=overrides)
    try:
        loaded = load(ServiceSettings, file=file, overrides=overrides)
    except ConfigurationError as error:
        return found, {name: origin.value for name, origin in found.items()}, str(error).splitlines()
    values = {}
    for key in found:
        section, _, name = key.partition(".")
        values[key] = getattr(getattr(loaded, section), name)
    return found, values, []


def _file(config: Path | None) -> Path | None:
    from penstock.core.configuration import file_of

    return file_of(config_file(config))


def _document(name: str, value: Any, origin: "Origin") -> dict[str, Any]:
    plain = list(value) if isinstance(value, tuple) else value
    return {"name": name, "value": plain, "from": origin.kind, "place": origin.place or None}


def _from(origin: "Origin", missing: bool) -> str:
    if missing:
        return "nobody has set it"
    return origin.place or origin.kind


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "(empty)"
    return "(none)" if value is None else str(value)
