"""Which topics a service needs, and how far one that is there differs."""

import pytest

from penstock.cli.remedies import KafkaTools
from penstock.cli.topics.plan import (
    Difference,
    TopicPlan,
    commands,
    differences,
    duration,
    parse_duration,
    plan,
    replication_for,
)
from penstock.consumer.lane import KAFKA_MAX_MESSAGE_BYTES, Role, Sizes, roles
from penstock.consumer.lane_settings import LaneSettings
from penstock.transport.cluster import Partition, Topic

SMALL = Sizes(request=1000, headers=100, reply=1000)
LARGE = Sizes(request=2**24, headers=2**14, reply=2**22)


def topic(name: str = "requests", partitions: int = 8, replication: int = 3) -> Topic:
    copies = tuple(range(replication))
    return Topic(name, tuple(Partition(number, 0, copies, copies) for number in range(partitions)))


def planned(role: Role = Role.REQUEST, replication: int = 3, sizes: Sizes = SMALL) -> TopicPlan:
    plans = plan(LaneSettings(), sizes, partitions=8, replication=replication, retention_s=None)
    return next(each for each in plans if each.role is role)


def seen(wanted: TopicPlan, **changed: str) -> dict[str, str]:
    return {**wanted.settings, **{name.replace("_", "."): value for name, value in changed.items()}}


def test_every_topic_of_a_service_has_its_role():
    lane = LaneSettings(request_topics=("a", "b"), reply_topic="r")
    assert roles(lane) == {
        "a": Role.REQUEST, "b": Role.REQUEST, "r": Role.REPLY, "a-dlt": Role.DEAD_LETTER, "b-dlt": Role.DEAD_LETTER
    }  # fmt: skip


def test_one_dead_letter_topic_for_all_is_named_once():
    lane = LaneSettings(request_topics=("a", "b"), dead_letter_topic="dead")
    assert list(roles(lane)) == ["a", "b", "replies", "dead"]


def test_request_topics_alone_are_kept_from_compressed_batches():
    assert planned(Role.REQUEST).settings["compression.type"] == "uncompressed"
    assert "compression.type" not in planned(Role.REPLY).settings


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_a_broker_may_fail_and_writes_go_on(replication: int, in_sync: str):
    assert planned(replication=replication).settings["min.insync.replicas"] == in_sync


def test_messages_may_be_as_large_as_the_limits_and_never_smaller_than_kafkas_default():
    for role in Role:
        assert int(planned(role, sizes=SMALL).settings["max.message.bytes"]) == KAFKA_MAX_MESSAGE_BYTES
        assert int(planned(role, sizes=LARGE).settings["max.message.bytes"]) > KAFKA_MAX_MESSAGE_BYTES
    request, dead = (
        int(planned(r, sizes=LARGE).settings["max.message.bytes"]) for r in (Role.REQUEST, Role.DEAD_LETTER)
    )
    assert LARGE.request < request < dead


def test_retention_suits_the_role_unless_it_is_given():
    days = {each.role: int(each.settings["retention.ms"]) / 86_400_000 for each in plans_kept(None)}
    assert days == {Role.REQUEST: 7, Role.REPLY: 1, Role.DEAD_LETTER: 30}
    assert {each.settings["retention.ms"] for each in plans_kept(3600)} == {"3600000"}


def plans_kept(retention_s: int | None) -> list[TopicPlan]:
    return plan(LaneSettings(), SMALL, partitions=1, replication=1, retention_s=retention_s)


@pytest.mark.parametrize(("brokers", "copies"), [(0, 1), (1, 1), (2, 2), (3, 3), (12, 3)])
def test_replication_is_three_or_what_the_cluster_has(brokers: int, copies: int):
    assert replication_for(brokers) == copies


def test_topic_as_planned_differs_in_nothing():
    wanted = planned()
    assert differences(wanted, topic(), seen(wanted)) == []


CHANGES = {
    "fewer partitions": (topic(partitions=4), {}, "partitions", True),
    "more partitions": (topic(partitions=12), {}, "partitions", False),
    "compacted": (topic(), {"cleanup_policy": "compact"}, "cleanup.policy", True),
    "compressed": (topic(), {"compression_type": "producer"}, "compression.type", True),
    "kept for less": (topic(), {"retention_ms": "1000"}, "retention.ms", True),
    "kept for more": (topic(), {"retention_ms": str(10**12)}, "retention.ms", False),
    "kept for ever": (topic(), {"retention_ms": "-1"}, "retention.ms", False),
    "smaller messages": (topic(), {"max_message_bytes": "1000"}, "max.message.bytes", True),
    "larger messages": (topic(), {"max_message_bytes": str(2**30)}, "max.message.bytes", False),
    "too many in sync": (topic(), {"min_insync_replicas": "3"}, "min.insync.replicas", True),
    "more copies": (topic(replication=4), {}, "replication", False),
}


@pytest.mark.parametrize(("there", "changed", "setting", "change"), CHANGES.values(), ids=CHANGES)
def test_difference_is_named_and_changed_only_where_it_does_harm(there, changed, setting, change):
    wanted = planned()
    (found,) = differences(wanted, there, seen(wanted, **changed))
    assert (found.setting, found.change) == (setting, change)
    assert ("leave it" in found.advice) is not change


def test_in_sync_copies_are_judged_by_the_copies_that_are_there():
    wanted = planned(replication=3)
    found = differences(wanted, topic(replication=1), seen(wanted, min_insync_replicas="1"))
    assert [each.setting for each in found] == ["replication"]


def test_only_a_request_topic_needs_its_partitions():
    wanted = planned(Role.REPLY)
    (found,) = differences(wanted, topic("replies", partitions=1), seen(wanted))
    assert not found.change


def test_unseen_settings_are_not_compared():
    assert differences(planned(), topic(), None) == []


def test_one_command_changes_all_settings_of_a_topic():
    found = [
        Difference("partitions", "1", "8", "add some", change=True),
        Difference("retention.ms", "1", "2", "change it", change=True),
        Difference("max.message.bytes", "1", "3", "change it", change=True),
        Difference("replication", "1", "3", "raise it"),
    ]
    assert commands("t", found, KafkaTools("b:1")) == [
        "kafka-topics.sh --bootstrap-server b:1 --alter --topic t --partitions 8",
        "kafka-configs.sh --bootstrap-server b:1 --alter --entity-type topics --entity-name t "
        "--add-config retention.ms=2,max.message.bytes=3",
    ]


@pytest.mark.parametrize(("text", "seconds"), [("7d", 604_800), ("12h", 43_200), ("30M", 1800), (" 45 s ", 45)])
def test_duration_is_understood(text: str, seconds: int):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1h", "1.5h", "1w", "7d12h"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [("604800000", "7 d"), ("43200000", "12 h"), ("90000", "90 s"), ("1500", "1500 ms"), ("-1", "for ever")],
)
def test_duration_is_said_in_the_largest_unit_that_fits(milliseconds: str, words: str):
    assert duration(milliseconds) == words
