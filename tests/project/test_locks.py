"""The locks: complete, hashed, tied to no index, and in step with pyproject.toml."""

import re
import tomllib
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {path.stem: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
PYTHONS = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]


def entries(lock: str) -> list[str]:
    """Each requirement of a lock with its hashes, on one line."""
    joined = lock.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pins(lock: str, python: str) -> dict[str, str]:
    """The version of each distribution that a lock gives to this Python on Linux."""
    environment: dict[str, str | AbstractSet[str]] = {key: str(value) for key, value in default_environment().items()}
    environment["python_version"] = python
    environment["python_full_version"] = f"{python}.0"
    environment["sys_platform"] = "linux"
    environment["platform_system"] = "Linux"
    found: dict[str, str] = {}
    for entry in entries(lock):
        requirement = Requirement(entry.partition("--hash")[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (specifier,) = requirement.specifier
            found[canonicalize_name(requirement.name)] = specifier.version
    return found


def wanted(*extras: str) -> list[Requirement]:
    """The ranges of the base and of these extras, with those that an extra names in turn."""
    found = [Requirement(text) for text in PROJECT["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
            own = requirement.name == PROJECT["name"]
            found += wanted(*requirement.extras) if own else [requirement]
    return found


def unmet(requirements: list[Requirement], pinned: dict[str, str], python: str) -> list[str]:
    """The requirements for this Python that a lock leaves out, or pins to a version out of range."""
    return [
        str(requirement)
        for requirement in requirements
        if (requirement.marker is None or requirement.marker.evaluate({"python_version": python}))
        and not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"), prereleases=True)
    ]


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_is_pinned_and_hashed(name: str) -> None:
    assert [entry for entry in entries(LOCKS[name]) if "==" not in entry or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_its_command_and_no_index(name: str) -> None:
    assert "make lock" in LOCKS[name].partition("==")[0]
    assert re.search(r"https?://|--(extra-)?index|--find-links|file:", LOCKS[name]) is None


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("lock", "extras"), [("demo", ("worker", "train", "broker", "simdjson")), ("test", ("dev",))])
def test_lock_is_in_step_with_pyproject(lock: str, extras: tuple[str, ...], python: str) -> None:
    assert unmet(wanted(*extras), pins(LOCKS[lock], python), python) == []


@pytest.mark.parametrize("python", PYTHONS)
def test_locks_agree_so_that_the_tests_only_add_to_the_demo(python: str) -> None:
    installer, demo, tests = (pins(LOCKS[name], python) for name in ("uv", "demo", "test"))
    assert installer.items() <= demo.items() <= tests.items()


def test_classifiers_name_the_pythons_that_are_locked() -> None:
    assert PYTHONS == ["3.11", "3.12", "3.13", "3.14"]


def test_missing_and_outdated_pin_are_found() -> None:
    requirements = [Requirement("numpy>=2.0"), Requirement("orjson>=3.10"), Requirement("pydantic>=2.9")]
    assert unmet(requirements, {"numpy": "2.1", "orjson": "3.9"}, "3.11") == ["orjson>=3.10", "pydantic>=2.9"]
