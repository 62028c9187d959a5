"""Judges Python and the libraries by what this distribution asks for."""

import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from penstock.cli.doctor.finding import MACHINE, Finding
from penstock.core.distribution import DISTRIBUTION, install_command

_OLDEST: Final = (3, 11)
_SHOWN: Final = ("aiokafka", "numpy", "onnxruntime")
_WORKER_NEEDS: Final = ("onnxruntime", "prometheus-client", "protobuf")
_REQUIREMENT: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?\s*(?P<bounds>[^;]*)(;(?P<marker>.*))?")
_BOUND: Final = re.compile(r"(>=|<)\s*([0-9.]+)")


def look_at_versions() -> dict[str, str]:
    """Return the versions of what is installed of all that this distribution may use."""
    found = {}
    for name, _ in _requirements():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def wanted_versions() -> dict[str, str]:
    """Return the bounds of all that this distribution may use, as `>=2.0`."""
    return dict(_requirements())


def judge_versions(
    installed: Mapping[str, str],
    wanted: Mapping[str, str],
    python: Sequence[int] = sys.version_info[:3],
) -> list[Finding]:
    """Judge Python and the libraries.

    Args:
        installed: by distribution, the version.
        wanted: by distribution, the bounds.
        python: its version.
    """
    found: list[Finding] = []
    spelt = ".".join(map(str, python))
    if tuple(python[:2]) < _OLDEST:
        what, why = f"Python {spelt}", "Penstock is written for Python 3.11 and newer."
        found.append(MACHINE.fault("python", what, why, "Install a newer Python."))
    for name, bounds in wanted.items():
        if name in installed and not fits(installed[name], bounds):
            what = f"{name} {installed[name]} is installed, and {bounds} is wanted"
            command = f"pip install '{name}{bounds}'"
            found.append(MACHINE.warning("library", what, "Nobody has tried the two together.", "", (command,)))
    if not found:
        shown = [f"{name} {installed[name]}" for name in _SHOWN if name in installed]
        found.append(MACHINE.ok("versions", ", ".join([f"{platform.python_implementation()} {spelt}", *shown])))
    absent = [name for name in _WORKER_NEEDS if name not in installed]
    if absent:
        what = f"the light install, without {', '.join(absent)}"
        why = "It is a client: no worker can run here."
        command = install_command("worker")
        found.append(MACHINE.warning("extras", what, why, "Where workers are to run:", (command,)))
    return found


def fits(installed: str, bounds: str) -> bool:
    """Tell whether a version lies within bounds such as `>=2.0,<3`."""
    for sign, bound in _BOUND.findall(bounds):
        has, wants = _numbers(installed), _numbers(bound)
        if (sign == ">=" and has < wants) or (sign == "<" and has >= wants):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(number) for number in match[0].split(".")) if match else ()


def _requirements() -> Iterator[tuple[str, str]]:
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match and "dev" not in (match["marker"] or "") and match["name"] != DISTRIBUTION:
            yield match["name"], match["bounds"].strip()
