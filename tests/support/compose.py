"""Compose files: read, and the order in which their services start."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Service = dict[str, Any]


def services(text: str) -> dict[str, Service]:
    """The services of a compose file, anchors and merges resolved."""
    found: dict[str, Service] = YAML(typ="safe", pure=True).load(text)["services"]
    return found


def in_order(found: dict[str, Service]) -> list[str]:
    """Names of services, each after those that it depends on."""
    ordered: list[str] = []

    def place(name: str) -> None:
        for before in found[name].get("depends_on", {}):
            place(before)
        if name not in ordered:
            ordered.append(name)

    for name in found:
        place(name)
    return ordered


def variables(service: Service) -> dict[str, str]:
    """A service's environment, as its process sees it."""
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def seconds(duration: str) -> float:
    """A duration in whole seconds, as 40s, which is the only form in use here."""
    assert duration.endswith("s")
    return float(duration[:-1])


def read(path: Path, **names: str) -> dict[str, Service]:
    """The services of a file, with `${name}` replaced as `penstock init` does."""
    text = path.read_text()
    for name, value in names.items():
        text = text.replace(f"${{{name}}}", value)
    return services(text)
