"""Judging the topics of a service."""

from dataclasses import replace

import pytest

from penstock.cli.doctor.topics import Lane, judge_topics
from penstock.cli.remedies import KafkaTools
from penstock.consumer.lane import Role, Sizes
from penstock.transport.cluster import Partition, Topic

ROLES = {"requests": Role.REQUEST, "replies": Role.REPLY, "requests-dlt": Role.DEAD_LETTER}
LANE = Lane(
    roles=ROLES,
    sizes=Sizes(request=16_000_000, headers=16_000, reply=1_000_000),
    limited=False,
    processes=2,
    brokers=3,
    auto_create=False,
    user="User:worker",
    create="penstock topics create",
    tools=KafkaTools("broker:9092"),
)
GOOD = {
    "cleanup.policy": "delete",
    "retention.ms": "86400000",
    "compression.type": "uncompressed",
    "min.insync.replicas": "2",
    "max.message.bytes": "1048588",
}


def topic(name: str, count: int = 8, copies: int = 3, in_sync: int = 3, leader: int | None = 1) -> Topic:
    each = [
        Partition(number, leader, tuple(range(copies)), tuple(range(min(copies, in_sync)))) for number in range(count)
    ]
    return Topic(name, tuple(each))


TOPICS = {name: topic(name) for name in ROLES}


def judged(changed: Topic | None = None, settings: dict[str, str] | None = None, lane: Lane = LANE):
    """The findings that are not ok, after a change to one topic (`requests` where only its settings change)."""
    topics = TOPICS | ({changed.name: changed} if changed else {})
    name = changed.name if changed else "requests"
    every = {each: GOOD | ((settings or {}) if each == name else {}) for each in ROLES if topics[each].partitions}
    return [found for found in judge_topics(topics, every, lane) if found.level != "ok"]


def test_good_topics_are_well_with_a_line_each():
    found = judge_topics(TOPICS, dict.fromkeys(ROLES, GOOD), LANE)
    assert [each.level for each in found] == ["ok"] * 3
    assert found[0].what == "requests (request): 8 partitions, 3 copies, kept 1 d"


CHANGES = {
    "one copy": (topic("requests", copies=1, in_sync=1), {"min.insync.replicas": "1"}, "replication", "warning"),
    "no leader": (topic("requests", leader=None), {}, "offline", "fault"),
    "behind": (topic("requests", in_sync=2), {}, "in sync", "warning"),
    "not writable": (topic("requests", in_sync=1), {}, "in sync", "fault"),
    "in sync too many": (None, {"min.insync.replicas": "4"}, "min.insync", "fault"),
    "in sync all": (None, {"min.insync.replicas": "3"}, "min.insync", "warning"),
    "compacted": (None, {"cleanup.policy": "compact"}, "cleanup", "fault"),
    "compacted too": (None, {"cleanup.policy": "compact,delete"}, "cleanup", "fault"),
    "compacted replies": (topic("replies"), {"cleanup.policy": "compact"}, "cleanup", "fault"),
    "kept for a minute": (None, {"retention.ms": "60000"}, "retention", "warning"),
    "compressed": (None, {"compression.type": "producer"}, "compression", "warning"),
    "small replies": (topic("replies"), {"max.message.bytes": "500000"}, "size", "warning"),
    "few partitions": (topic("requests", count=1), {}, "processes", "warning"),
}


@pytest.mark.parametrize(("changed", "settings", "check", "level"), CHANGES.values(), ids=CHANGES)
def test_what_is_wrong_with_a_topic_is_found_once_with_reason_and_remedy(changed, settings, check, level):
    (found,) = judged(changed, settings)
    assert (found.check, found.level) == (check, level)
    assert found.why
    assert found.mend or found.commands


NO_MATTER = {
    "kept for ever": (None, {"retention.ms": "-1"}),
    "compressed replies": (topic("replies"), {"compression.type": "producer"}),
    "compacted dead letters": (topic("requests-dlt"), {"cleanup.policy": "compact"}),
    "small requests without a limit set": (None, {"max.message.bytes": "1000"}),
}


@pytest.mark.parametrize(("changed", "settings"), NO_MATTER.values(), ids=NO_MATTER)
def test_what_does_no_harm_is_not_reported(changed, settings):
    assert judged(changed, settings) == []


def test_limit_that_somebody_set_must_fit_the_request_topic():
    found = judged(lane=replace(LANE, limited=True))
    assert [(each.check, each.what.split()[0]) for each in found] == [("size", "requests"), ("size", "requests-dlt")]
    assert "max.message.bytes=16017024" in found[0].commands[0]


def test_missing_topics_are_named_together_with_the_command_that_makes_them():
    (found,) = judged(Topic("replies"))
    assert (found.level, found.what) == ("fault", "replies is missing")
    assert found.commands == ("penstock topics create",)


def test_missing_dead_letter_topic_alone_is_a_warning():
    (found,) = judged(Topic("requests-dlt"))
    assert (found.level, found.what) == ("warning", "requests-dlt is missing")


def test_brokers_that_make_topics_by_themselves_are_mentioned_where_one_is_missing():
    (found,) = judged(Topic("replies"), lane=replace(LANE, auto_create=True))
    assert "auto.create.topics.enable" in found.why


def test_hidden_topic_may_be_missing_or_not():
    (found,) = judged(Topic("replies", hidden=True))
    assert found.what == "replies: missing, or not for this user to see"


def test_settings_that_may_not_be_seen_are_no_fault():
    found = judge_topics(TOPICS, {}, LANE)
    assert [each.level for each in found] == ["ok", "ok", "ok", "skipped"]
    assert "--operation DescribeConfigs" in found[-1].commands[0]


def test_partitions_of_all_request_topics_count_for_the_processes():
    lane = replace(LANE, roles={"a": Role.REQUEST, "b": Role.REQUEST}, processes=2)
    topics = {name: topic(name, count=1) for name in lane.roles}
    assert [each.level for each in judge_topics(topics, dict.fromkeys(topics, GOOD), lane)] == ["ok", "ok"]
    (found,) = [each for each in judge_topics(topics, {}, replace(lane, processes=5)) if each.check == "processes"]
    assert found.what == "2 partitions for 5 worker processes"
    assert found.commands[0].endswith("--alter --topic a --partitions 4")


def test_no_more_partitions_are_named_than_can_be_read():
    (found,) = judged(topic("requests", count=40, leader=None))
    assert found.what.endswith("requests/5 and 34 more")
