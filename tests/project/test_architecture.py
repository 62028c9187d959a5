"""The shape of the repository: which package may import which, and what a file may be."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# The direction of imports: what each package may import of ours. The top package, `penstock`, lies in api/.
ALL = frozenset({"api", "broker", "cli", "consumer", "core", "producer", "schemas", "transport"})
MAY_IMPORT = {
    "api": ALL,
    "broker": frozenset[str](),
    "cli": ALL,
    "consumer": frozenset({"core", "transport", "schemas"}),
    "core": frozenset({"schemas"}),
    "producer": frozenset({"schemas", "transport"}),
    "schemas": frozenset[str](),
    "transport": frozenset({"schemas"}),
}
LIGHT_CLIENT = ("producer", "schemas", "transport")
# What the light client imports when somebody asks for it, inside a function, and the extra that brings it.
ON_REQUEST = {"schemas/control/signing.py": "control"}
NOT_PACKAGED = {"benchmarks", "build", "deploy", "dist", "docs", "examples", "requirements", "tests", "tools"}
SAYS_NOTHING = {"utils.py", "helpers.py", "common.py"}
MOST_LINES = 250


def normal(distribution: str) -> str:
    """The name of a distribution, or of a requirement on it, as registries compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", distribution, maxsplit=1)[0]).lower()


# pydantic pins its other half exactly, and documents imports from it.
BASE = {normal(requirement) for requirement in PYPROJECT["project"]["dependencies"]} | {"pydantic-core"}
DECLARED = BASE | {
    normal(requirement)
    for extra, requirements in PYPROJECT["project"]["optional-dependencies"].items()
    for requirement in requirements
    if extra != "dev"
}
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
DISTRIBUTIONS = packages_distributions()


def imported(source: str) -> Iterator[str]:
    """Each module that the source imports, at its top or inside a function; a relative one with its dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from penstock import core` names a package, and `from penstock import Client` a thing in api/.
            yield from (f"penstock.{n.name}" for n in node.names) if module == "penstock" else (module,)


def is_stray(module: str, allowed: set[str]) -> bool:
    """Whether a module is neither Python's own, nor ours, nor from an allowed distribution."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top == "penstock":
        return False
    return not {normal(name) for name in DISTRIBUTIONS.get(top, ())} & allowed


def violations(package: str, source: str, extra: str | None = None) -> list[str]:
    """What a file of the package does against the rules on imports, one sentence each.

    Args:
        package: which one.
        source: of the file.
        extra: of the distribution, whose libraries a file of the light client may import inside functions.
    """
    found = []
    light = BASE | set(map(normal, EXTRAS[extra] if extra else ()))
    first = {name.name for node in ast.parse(source).body if isinstance(node, ast.Import) for name in node.names}
    first |= {node.module or "" for node in ast.parse(source).body if isinstance(node, ast.ImportFrom)}
    for module in imported(source):
        if module.startswith("."):
            found.append(f"{package} imports {module} relatively")
            continue
        top, _, rest = module.partition(".")
        target = rest.partition(".")[0] if rest.partition(".")[0] in MAY_IMPORT else "api"
        if top in MAY_IMPORT:
            found.append(f"{package} imports {module} by its folder's name, not as penstock.{module}")
        elif top == "penstock" and target != package and target not in MAY_IMPORT[package]:
            found.append(f"{package} may not import {module}")
        elif package in LIGHT_CLIENT and is_stray(module, BASE if module in first else light):
            found.append(f"{package} is of the light client and imports {module}, which the base does not bring")
        elif is_stray(module, DECLARED):
            found.append(f"{package} imports {module}, which pyproject.toml does not declare")
    return found


def misfits(path: Path, lines: int) -> list[str]:
    """What is wrong with a file by its name and length."""
    found = [f"{path.name} says nothing about what it holds"] if path.name in SAYS_NOTHING else []
    return found + ([f"{path} holds two things: {lines} lines"] if lines > MOST_LINES else [])


def undeclared(root: Path, declared: dict[str, str]) -> set[str]:
    """The folders with Python files under root that no package of pyproject.toml is mapped to."""
    tops = [top for top in root.iterdir() if top.name not in NOT_PACKAGED and not top.name.startswith(".")]
    folders = {path.parent.relative_to(root) for top in tops for path in top.rglob("*.py")}
    return {folder.as_posix() for folder in folders} - set(declared.values()) - data_folders()


def package_folders() -> dict[str, str]:
    """Each package of pyproject.toml with its folder; a deeper one lies inside its parent's."""
    mapped: dict[str, str] = PYPROJECT["tool"]["setuptools"]["package-dir"]
    return {
        name: mapped.get(name) or name.replace("penstock.", "", 1).replace(".", "/")
        for name in PYPROJECT["tool"]["setuptools"]["packages"]
    }


def data_folders() -> set[str]:
    """The folders whose files are no modules: a package writes them into somebody's project."""
    folders = package_folders()
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"].items()
    return {f"{folders[name]}/{Path(each).parent}" for name, all_ in patterns for each in all_ if "/" in each}


FILES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_keeps_to_the_rules(path: Path) -> None:
    source = path.read_text()
    name = path.relative_to(ROOT).as_posix()
    package = name.partition("/")[0]
    assert violations(package, source, ON_REQUEST.get(name)) + misfits(path, source.count("\n")) == []


def test_every_folder_of_package_code_is_declared() -> None:
    assert undeclared(ROOT, package_folders()) == set()


def test_every_declared_package_has_a_folder_and_a_direction() -> None:
    folders = package_folders()
    assert [name for name, folder in folders.items() if not (ROOT / folder / "__init__.py").is_file()] == []
    assert {folder.partition("/")[0] for folder in folders.values()} == set(MAY_IMPORT)


def test_makefile_checks_every_package() -> None:
    line = re.search(r"^PACKAGES\s*:=\s*(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line is not None
    assert set(line[1].split()) == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("package", "source", "said"),
    [
        ("schemas", "from penstock.core.model import Model", "may not import penstock.core.model"),
        ("schemas", "from penstock import Client", "may not import penstock.Client"),
        ("core", "import penstock.transport.settings", "may not import penstock.transport.settings"),
        ("core", "from penstock import consumer", "may not import penstock.consumer"),
        ("producer", "def late():\n    from penstock.consumer import service", "may not import penstock.consumer"),
        ("transport", "if TYPE_CHECKING:\n    import penstock.producer", "may not import penstock.producer"),
        ("broker", "import penstock.schemas.errors", "may not import penstock.schemas.errors"),
        ("core", "from . import batcher", "relatively"),
        ("core", "from ..schemas import errors", "relatively"),
        ("consumer", "from core.batcher import MicroBatcher", "by its folder's name"),
        ("producer", "import onnxruntime", "light client"),
        ("transport", "from prometheus_client import Counter", "light client"),
        ("core", "import pytest", "does not declare"),
        ("core", "import no_such_distribution", "does not declare"),
    ],
)
def test_forbidden_import_is_found(package: str, source: str, said: str) -> None:
    (found,) = violations(package, source)
    assert said in found


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("core", "import json, numpy\nfrom penstock.schemas.errors import PenstockError"),
        ("core", "import onnxruntime\nfrom google.protobuf import json_format"),
        ("producer", "from aiokafka import AIOKafkaProducer\nfrom pydantic_settings import BaseSettings"),
        ("api", "from penstock.consumer import service"),
        ("core", "from penstock.core import batcher"),
    ],
)
def test_allowed_import_passes(package: str, source: str) -> None:
    assert violations(package, source) == []


def test_an_extra_may_be_asked_for_inside_a_function_alone() -> None:
    late, early = "def sign():\n    import cryptography", "import cryptography"
    assert violations("schemas", late, "control") == []
    assert len(violations("schemas", early, "control")) == 1
    assert len(violations("schemas", late)) == 1


def test_long_file_and_empty_name_are_found() -> None:
    assert misfits(Path("core/batcher.py"), MOST_LINES) == []
    assert len(misfits(Path("core/batcher.py"), MOST_LINES + 1)) == 1
    assert len(misfits(Path("core/utils.py"), 10)) == 1


def test_undeclared_folder_is_found(tmp_path: Path) -> None:
    for name in ("core", "core/runtimes", "gateway", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    assert undeclared(tmp_path, {"penstock.core": "core"}) == {"core/runtimes", "gateway"}
