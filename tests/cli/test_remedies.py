"""Command lines that a person is told to type."""

import shlex
from pathlib import Path

import pytest
from pydantic import SecretStr

from penstock.cli.remedies import KafkaTools, Own, folded
from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import fields_of, is_secret
from penstock.transport.settings import KafkaSettings

TOOLS = KafkaTools("broker:9092")


def test_own_command_repeats_the_options_that_were_given():
    own = Own(Path("other.toml"), "broker:9092", ("worker.reply_topic=a b",))
    assert own.command("topics", "create") == (
        "penstock topics create -c other.toml -b broker:9092 --set 'worker.reply_topic=a b'"
    )


def test_own_command_without_options_is_bare():
    assert Own().command("worker") == "penstock worker"


SECRETS = [name for name, field in fields_of(ServiceSettings) if is_secret(field)]


@pytest.mark.parametrize("name", [*SECRETS, f" {SECRETS[0]} "])
def test_own_command_shows_no_secret(name: str):
    assert "hunter2" not in Own(overrides=(f"{name}=hunter2",)).command("worker")


def test_secured_cluster_needs_a_file_with_the_log_in_of_an_administrator():
    settings = KafkaSettings(security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password=SecretStr("p"))
    assert " --command-config admin.properties " in KafkaTools.of(settings).describe_topic("requests")
    assert "--command-config" not in KafkaTools.of(KafkaSettings()).describe_topic("requests")


def test_value_with_commas_is_kept_together():
    assert TOOLS.set_topic("t", {"cleanup.policy": "compact,delete", "a": "1"}).endswith(
        "--add-config 'cleanup.policy=[compact,delete],a=1'"
    )


@pytest.mark.parametrize("width", [30, 60, 80, 400])
def test_folded_command_is_the_same_to_a_shell(width: int):
    command = TOOLS.create_topic("requests", 8, 3, {"retention.ms": "1", "cleanup.policy": "a b"})
    lines = folded(command, width)

    joined = "".join(line.removesuffix("\\") if line.endswith("\\") else line for line in lines)
    assert shlex.split(joined) == shlex.split(command)
    assert all(len(line) <= width for line in lines if len(line.split()) > 3)


def test_short_command_stays_on_one_line():
    assert folded("penstock worker -b a:1", 80) == ["penstock worker -b a:1"]
