"""Where commands find their settings."""

from pathlib import Path

import pytest
import typer

from penstock.cli.options import config_file, tool_settings
from penstock.schemas.errors import ConfigurationError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and no variable of anybody's."""
    monkeypatch.delenv("PENSTOCK_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, topic: str) -> Path:
    path.write_text(f'[worker]\nreply_topic = "{topic}"\n')
    return path


def test_nothing_is_required():
    settings = tool_settings(None, None, None)
    assert settings.kafka.bootstrap_servers == ("localhost:9092",)
    assert (settings.worker.request_topics, settings.worker.reply_topic) == (("requests",), "replies")


def test_the_file_of_the_current_folder_is_read(elsewhere):
    write(elsewhere / "penstock.toml", "here")
    assert tool_settings(None, None, None).worker.reply_topic == "here"


def test_a_file_that_is_named_wins_over_the_one_that_lies_there(elsewhere, monkeypatch):
    write(elsewhere / "penstock.toml", "here")
    named = write(elsewhere / "named.toml", "named")
    assert tool_settings(named, None, None).worker.reply_topic == "named"
    monkeypatch.setenv("PENSTOCK_CONFIG", str(named))
    assert config_file(None) is None
    assert tool_settings(None, None, None).worker.reply_topic == "named"


def test_settings_of_the_worker_alone_are_no_fault(elsewhere):
    (elsewhere / "penstock.toml").write_text('[models]\nrepository = "models"\n[worker]\ncommit_interval_s = 1\n')
    assert tool_settings(None, "kafka:9092", None).kafka.bootstrap_servers == ("kafka:9092",)


def test_what_nobody_knows_is_a_fault_for_every_command():
    with pytest.raises(ConfigurationError, match=r"worker\.reply_topics: unknown setting; did you mean"):
        tool_settings(None, None, ["worker.reply_topics=a"])


def test_an_override_without_a_value_is_wrong_usage():
    with pytest.raises(typer.BadParameter, match=r"is not SECTION\.NAME=VALUE"):
        tool_settings(None, None, ["worker.reply_topic"])


def test_set_has_the_last_word():
    settings = tool_settings(None, None, ["worker.reply_topic=set"], worker__reply_topic="option")
    assert settings.worker.reply_topic == "set"


def test_an_option_that_was_not_given_leaves_the_others_alone(elsewhere):
    write(elsewhere / "penstock.toml", "here")
    assert tool_settings(None, None, None, worker__reply_topic=None).worker.reply_topic == "here"
