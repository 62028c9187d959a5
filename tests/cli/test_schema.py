"""`penstock schema`: what is on the topics, for other languages."""

import json

import pytest
from jsonschema import Draft202012Validator

from penstock.schemas.control.documents import json_schema
from tests.support.command import penstock


def test_without_a_name_the_documents_are_listed():
    ran = penstock("schema")
    assert (ran.status, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.out.splitlines()] == [
        "document", "command", "status", "snapshot", "asyncapi",
    ]  # fmt: skip
    listed = json.loads(penstock("schema", "--json").out)
    assert [each["document"] for each in listed] == ["command", "status", "snapshot", "asyncapi"]


@pytest.mark.parametrize("name", ["command", "status", "snapshot"])
def test_a_json_schema_is_printed_and_nothing_else(name):
    ran = penstock("schema", name)
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out) == json_schema(name)
    Draft202012Validator.check_schema(json.loads(ran.out))


def test_the_topics_of_the_service_are_those_of_the_settings(tmp_path):
    (tmp_path / "penstock.toml").write_text(
        '[kafka]\nbootstrap_servers = ["kafka-1:9093"]\nsecurity_protocol = "SSL"\n'
        '[worker]\nrequest_topics = ["in"]\nreply_topic = "out"\ngroup_id = "iris"\n[control]\ntopic = "orders"\n'
    )
    ran = penstock("schema", "asyncapi", folder=tmp_path)
    assert (ran.status, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert document["info"]["title"] == "iris"
    assert document["servers"] == {"broker1": {"host": "kafka-1:9093", "protocol": "kafka-secure"}}
    assert {name: channel["address"] for name, channel in document["channels"].items()} == {
        "requests": "in",
        "replies": "out",
        "deadLetters": "in-dlt",
        "control": "orders",
        "status": "iris-status",
    }


def test_without_a_group_nobody_knows_the_control_topic():
    channels = json.loads(penstock("schema", "asyncapi").out)["channels"]
    assert (channels["requests"]["address"], channels["control"]["address"]) == ("requests", None)


def test_another_name_is_told_which_there_are():
    ran = penstock("schema", "commands")
    assert ran.status == 2
    assert "'command', 'status', 'snapshot', 'asyncapi'" in ran.err
