"""What makes the virtual environment: when it is trusted, and how a machine's pip settings reach uv."""

import shutil
import sys
from pathlib import Path

import pytest

from tools import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that the environment is made from, with an empty .venv."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment.stamp, "__defaults__", (tmp_path,))
    return tmp_path


def finish(repository: Path, level: str) -> None:
    (repository / ".venv" / f".{level}-stamp").write_text(environment.stamp(level, repository))


def test_finished_level_is_complete(repository: Path) -> None:
    assert not environment.complete("demo")
    finish(repository, "demo")
    assert environment.complete("demo")
    assert not environment.complete("test")


def test_interrupted_install_is_not_trusted(repository: Path) -> None:
    finish(repository, "demo")
    (repository / ".venv" / environment.UNFINISHED).touch()
    assert not environment.complete("demo")


def test_changed_lock_is_noticed_by_the_levels_made_from_it(repository: Path) -> None:
    finish(repository, "demo")
    finish(repository, "test")
    with (repository / "requirements" / "test.txt").open("a") as lock:
        lock.write("# changed\n")
    assert environment.complete("demo")
    assert not environment.complete("test")


@pytest.mark.parametrize(("table", "noticed"), [("[tool.setuptools]", True), ("[tool.ruff]", False)])
def test_only_the_package_table_calls_for_an_install(repository: Path, table: str, noticed: bool) -> None:
    finish(repository, "demo")
    pyproject = repository / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(table, f"{table}\nanother = 1"))
    assert environment.complete("demo") is not noticed


def test_another_interpreter_is_noticed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(repository, "demo")
    monkeypatch.setattr(sys, "version", "3.99.0 (main)")
    assert not environment.complete("demo")


def test_pip_settings_reach_uv() -> None:
    config = "\n".join(
        [
            ":env:.cert='/etc/ca.pem'",
            "global.cert='/ignored.pem'",
            "global.index-url='https://mirror.example/simple'",
            "install.find-links='/wheels\\n/more'",
            "global.timeout='60'",
        ]
    )
    assert environment.uv_settings(config, {"HOME": "/home/me"}) == {
        "HOME": "/home/me",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_settings_made_for_uv_win_over_those_of_pip() -> None:
    environ = {"UV_DEFAULT_INDEX": "https://mine.example/simple"}
    settings = environment.uv_settings("global.index-url='https://mirror.example/simple'", environ)
    assert settings is not None
    assert settings["UV_DEFAULT_INDEX"] == "https://mine.example/simple"


def test_pip_without_an_index_is_left_to_pip() -> None:
    assert environment.uv_settings("global.no-index='true'", {}) is None
    assert environment.uv_settings("global.no-index='false'", {}) is not None


def test_python_that_can_install_nothing_says_which_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pip", "ensurepip"):
        monkeypatch.setitem(sys.modules, module, None)  # what the import system takes for "not there"
    with pytest.raises(SystemExit, match=r"apt install python3\.\d+-venv"):
        environment.find_pip(Path("unused"))
