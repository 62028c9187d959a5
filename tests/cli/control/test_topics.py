"""The topics of control, in `penstock topics`."""

import pytest

from penstock.cli.topics.control_roles import control_roles
from penstock.cli.topics.plan import control_plan, differences
from penstock.consumer.lane_settings import LaneSettings
from penstock.schemas.errors import ConfigurationError
from penstock.transport.cluster import Topic
from penstock.transport.control.settings import ControlSettings
from tests.support.command import penstock

LANE = LaneSettings(group_id="flowers")
ON = ControlSettings(enabled=True)


def test_service_without_control_has_no_topics_of_it() -> None:
    assert control_roles(LANE, ControlSettings()) == {}


def test_topics_are_named_after_the_group_or_by_the_settings() -> None:
    named = ControlSettings(enabled=True, topic="orders", status_topic="said")
    assert list(control_roles(LANE, ON)) == ["flowers-control", "flowers-status"]
    assert list(control_roles(LaneSettings(), named)) == ["orders", "said"]


def test_topics_without_a_name_are_a_fault_of_the_settings() -> None:
    with pytest.raises(ConfigurationError, match=r"worker\.group_id: required"):
        control_roles(LaneSettings(), ON)


def test_commands_have_one_partition_and_stay_for_ever() -> None:
    commands, status = control_plan(control_roles(LANE, ON), 3)
    assert (commands.partitions, status.partitions) == (1, 1)
    assert commands.settings["retention.ms"] == "-1"
    assert commands.settings["message.timestamp.type"] == "LogAppendTime"
    assert commands.settings["min.insync.replicas"] == "2"
    assert int(status.settings["retention.ms"]) > 0


def test_topic_that_could_lose_commands_is_told_to_be_changed() -> None:
    commands, _ = control_plan(control_roles(LANE, ON), 1)
    wrong = {"cleanup.policy": "compact", "retention.ms": "604800000", "message.timestamp.type": "CreateTime"}
    found = differences(commands, Topic(commands.name), {**commands.settings, **wrong})
    assert {each.setting for each in found if each.change} == set(wrong)


def test_commands_of_kafkas_tools_make_them_as_they_must_be() -> None:
    ran = penstock(
        *("topics", "create", "--print", "--replication-factor", 1, "--partitions", 5, "--retention", "1d"),
        *("--set", "control.enabled=true", "--set", "worker.group_id=flowers"),
    )
    assert ran.status == 0, ran
    (commands,) = [each for each in ran.out.replace("\\\n", "").split("kafka-topics.sh") if "flowers-control" in each]
    words = commands.split()
    assert words[words.index("--partitions") + 1] == "1"
    assert "retention.ms=-1" in words
