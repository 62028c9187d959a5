"""Settings as far as they can be read."""

import os
from pathlib import Path

import pytest

from penstock.cli.readable import read_settings
from penstock.schemas.errors import ConfigurationError

GOOD = {"PENSTOCK_WORKER__GROUP_ID": "g", "PENSTOCK_MODELS__REPOSITORY": "models"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """No settings but those of the test."""
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in getattr(request, "param", {}).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("alone", [GOOD], indirect=True)
def test_good_settings_are_read_whole():
    found = read_settings(None, "broker:1", ["worker.processes=3"])
    assert found.faults == ()
    assert (found.group_id, found.worker.group_id, found.worker.processes) == ("g", "g", 3)
    assert found.kafka.bootstrap_servers == ("broker:1",)
    assert found.models is not None
    assert found.models.repository == Path("models")
    assert found.given == {"kafka.bootstrap_servers", "worker.group_id", "worker.processes", "models.repository"}


def test_settings_that_are_missing_are_faults_and_the_rest_is_read():
    found = read_settings(None, "broker:1", ["worker.reply_topic=answers", "limits.max_bytes=5"])
    assert [fault.split(":")[0] for fault in found.faults] == ["worker.group_id", "models.repository"]
    assert (found.group_id, found.models) == (None, None)
    assert found.worker.reply_topic == "answers"
    assert found.limits.max_bytes == 5


@pytest.mark.parametrize(
    "alone",
    [
        {
            **GOOD,
            "PENSTOCK_WORKER__PROCESSES": "many",
            "PENSTOCK_WORKER__REPLY_TOPIC": "answers",
            "PENSTOCK_NO__SUCH": "1",
        }
    ],
    indirect=True,
)
def test_wrong_value_is_replaced_by_its_default_and_the_section_kept():
    found = read_settings(None, None, None)
    assert len(found.faults) == 2
    assert (found.worker.processes, found.worker.reply_topic, found.group_id) == (1, "answers", "g")


def test_rule_over_several_settings_falls_back_to_the_defaults(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENSTOCK_WORKER__HEARTBEAT_INTERVAL_S", "60")
    monkeypatch.setenv("PENSTOCK_WORKER__REPLY_TOPIC", "requests")
    found = read_settings(None, None, None)
    assert any("the worker would read what it writes" in fault for fault in found.faults)
    assert found.worker.reply_topic == "replies"


OF_KAFKA = {
    "a rule over several settings": {"PENSTOCK_KAFKA__SECURITY_PROTOCOL": "SASL_SSL"},
    "a wrong value": {"PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": "prod"},
    "a misspelt name": {"PENSTOCK_KAFKA__BOOTSTRAP_SERVER": "prod:9093"},
    "a misspelt section": {"PENSTOCK_KAFAK__BOOTSTRAP_SERVERS": "prod:9093"},
    "a file that is not there": {"PENSTOCK_CONFIG": "absent.toml"},
}


@pytest.mark.parametrize("alone", OF_KAFKA.values(), ids=OF_KAFKA, indirect=True)
def test_cluster_that_is_meant_is_unknown_with(alone: None):
    assert read_settings(None, None, None).kafka_faulty


def test_cluster_is_known_whatever_else_is_wrong(tmp_path: Path):
    (tmp_path / "penstock.toml").write_text("[worker]\nprocesses = 0\n[limits]\nmax_bites = 1\n[no]\nsuch = 1\n")
    found = read_settings(None, "broker:1", None)
    assert len(found.faults) == 5  # what is required and missing, too
    assert not found.kafka_faulty
    assert found.kafka.bootstrap_servers == ("broker:1",)


def test_file_that_is_no_toml_is_a_fault_and_the_defaults_hold(tmp_path: Path):
    (tmp_path / "penstock.toml").write_text("[worker\n")
    found = read_settings(None, None, None)
    assert found.file == Path("penstock.toml")
    assert any("not valid TOML" in fault for fault in found.faults)
    assert found.worker.reply_topic == "replies"


@pytest.mark.parametrize("typed", [("localhost", []), (None, ["worker.processes=many"]), (None, ["worker.proceses=1"])])
def test_what_is_wrong_on_the_command_line_is_wrong_usage(typed):
    with pytest.raises(ConfigurationError, match=r"^option "):
        read_settings(None, *typed)
