"""`penstock config`: what holds, where it comes from, and what is wrong with it."""

import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from penstock.cli.main import app
from penstock.schemas.errors import ConfigurationError

Run = Callable[..., tuple[int, str]]

FILE = """
[kafka]
bootstrap_servers = ["kafka-1:9092", "kafka-2:9092"]
security_protocol = "SASL_PLAINTEXT"
sasl_username = "me"
sasl_password = "hunter22"

[worker]
group_id = "from-file"

[models]
repository = "models"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a subcommand in a folder of its own: its status, and what it printed."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = app(["config", *arguments], standalone_mode=False)
        return status or 0, capsys.readouterr().out

    return run


def rows_of(table: str) -> dict[str, list[str]]:
    """The rows by setting."""
    return {line.split()[0]: line.split()[1:] for line in table.splitlines()[1:]}


def test_what_is_set_is_shown_with_its_place(config: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "penstock.toml").write_text(FILE)
    monkeypatch.setenv("PENSTOCK_WORKER__GROUP_ID", "from-variable")
    status, out = config("show", "--set", "batching.max_rows=64", "-b", "other:9092")
    assert status == 0
    assert rows_of(out) == {
        "kafka.bootstrap_servers": ["other:9092", "option"],
        "kafka.security_protocol": ["SASL_PLAINTEXT", "penstock.toml"],
        "kafka.sasl_username": ["me", "penstock.toml"],
        "kafka.sasl_password": ["********", "penstock.toml"],
        "worker.group_id": ["from-variable", "PENSTOCK_WORKER__GROUP_ID"],
        "models.repository": ["models", "penstock.toml"],
        "batching.max_rows": ["64", "option"],
    }


def test_all_settings_follow_those_that_are_set(config: Run, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(FILE)
    _, out = config("show", "--all")
    places = [line[-1] for line in rows_of(out).values()]
    assert places == sorted(places, reverse=True)  # penstock.toml, then default
    assert rows_of(out)["http.port"] == ["8090", "default"]
    assert rows_of(out)["worker.check_crcs"] == ["true", "default"]
    assert rows_of(out)["models.load"] == ["(empty)", "default"]


def test_secret_is_in_no_output(config: Run, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(FILE)
    for arguments in (["show"], ["show", "--all"], ["show", "--json"], ["check"], ["check", "--json"]):
        assert "hunter22" not in config(*arguments)[1]
    (tmp_path / "penstock.toml").write_text(FILE.replace("me", "m" * 400).replace("group_id", "grup_id"))
    with pytest.raises(ConfigurationError) as caught:
        config("show")
    assert "hunter22" not in str(caught.value)


def test_json_has_values_as_the_service_gets_them(config: Run, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(FILE)
    found = {each["name"]: each for each in orjson.loads(config("show", "--json")[1])}
    assert found["kafka.bootstrap_servers"] == {
        "name": "kafka.bootstrap_servers",
        "value": ["kafka-1:9092", "kafka-2:9092"],
        "from": "file",
        "place": "penstock.toml",
    }
    assert found["kafka.sasl_password"]["value"] == "********"


def test_what_a_service_needs_and_nobody_has_set_is_shown(config: Run) -> None:
    status, out = config("show")
    assert status == 0
    assert rows_of(out)["worker.group_id"] == ["(required)", "nobody", "has", "set", "it"]
    assert rows_of(out)["models.repository"][0] == "(required)"


def test_other_faults_are_told_after_the_table(
    config: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENSTOCK_HTTP__PORT", "many")
    with pytest.raises(ConfigurationError) as caught:
        config("show")
    assert str(caught.value).startswith("PENSTOCK_HTTP__PORT: Input should be a valid integer")
    assert "required" not in str(caught.value)
    assert rows_of(capsys.readouterr().out)["http.port"] == ["many", "PENSTOCK_HTTP__PORT"]


def test_file_named_by_the_variable_is_said(config: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text(FILE)
    monkeypatch.setenv("PENSTOCK_CONFIG", "other.toml")
    assert rows_of(config("show")[1])["worker.group_id"] == ["from-file", "other.toml"]
    assert config("check")[1] == "ok: 6 in other.toml; the other 68 have their defaults.\n"


def test_sound_settings_are_ok(config: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "penstock.toml").write_text(FILE)
    monkeypatch.setenv("PENSTOCK_HTTP__PORT", "1")
    status, out = config("check", "--set", "log.level=debug")
    assert status == 0
    assert out.startswith("ok: 6 in penstock.toml, 1 by variables, 1 by options; the other ")


def test_every_fault_is_told_at_once(config: Run, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(FILE.replace("group_id", "grup_id") + '[http]\nport = "x"\n')
    with pytest.raises(ConfigurationError) as caught:
        config("check", "--set", "nothing.at=all")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "option nothing.at",
        "penstock.toml",
        "worker.group_id",
        "penstock.toml",
    ]


def test_faults_as_json_make_the_status_2(config: Run) -> None:
    status, out = config("check", "--json")
    found = orjson.loads(out)
    assert (status, found["ok"], found["file"]) == (2, False, None)
    assert [fault.partition(":")[0] for fault in found["faults"]] == ["worker.group_id", "models.repository"]
