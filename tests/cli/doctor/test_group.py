"""Judging the consumer group."""

from dataclasses import replace

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.cli.doctor.group import GroupSeen, judge_group
from penstock.cli.remedies import KafkaTools
from penstock.transport.membership import ConsumerGroup, Member
from penstock.transport.offsets import Lag

FIRST, SECOND = TopicPartition("requests", 0), TopicPartition("requests", 1)
BOTH = Member("worker-1", "10.0.0.5", frozenset({FIRST, SECOND}))
STABLE = ConsumerGroup("Stable", (BOTH,))
IDLE = {FIRST: Lag(0, 10, 10), SECOND: Lag(0, 0, None)}
WAITING = {FIRST: Lag(0, 10, 4), SECOND: Lag(0, 5, 5)}


def at(**offsets: int) -> dict[TopicPartition, OffsetAndMetadata]:
    places = {"first": FIRST, "second": SECOND}
    return {places[name]: OffsetAndMetadata(offset, "") for name, offset in offsets.items()}


def judged(seen: GroupSeen):
    return judge_group(seen, KafkaTools("k:1"), "penstock worker", ["requests"])


def checks(seen: GroupSeen) -> dict[str, str]:
    return {found.check: found.level for found in judged(seen)}


def test_group_that_has_answered_everything_is_well():
    found = judged(GroupSeen("g", STABLE, IDLE, at(first=10)))
    assert [each.level for each in found] == ["ok", "ok"]
    assert [each.what for each in found] == ["group g: 1 member", "nothing waits"]


@pytest.mark.parametrize("state", ["Empty", "Dead"])
def test_group_without_members_is_a_fault_where_requests_wait(state: str):
    (found,) = judged(GroupSeen("g", ConsumerGroup(state), WAITING, {}))
    assert (found.level, found.what) == ("fault", "nobody is in group g, and 6 requests wait")
    assert found.commands == ("penstock worker",)


def test_group_without_members_is_a_warning_where_nothing_waits():
    (found,) = judged(GroupSeen("g", ConsumerGroup("Empty"), IDLE, {}))
    assert (found.level, found.what) == ("warning", "nobody is in group g")


def test_rebalance_is_a_warning():
    rebalancing = ConsumerGroup("PreparingRebalance", (replace(BOTH, owns=frozenset()),))
    assert checks(GroupSeen("g", rebalancing, IDLE, {})) == {"state": "warning", "progress": "ok"}


def test_requests_that_move_are_well():
    seen = GroupSeen("g", STABLE, WAITING, at(first=4), at(first=6), 3.0)
    assert checks(seen) == {"members": "ok", "progress": "ok"}


def test_requests_that_were_finished_out_of_turn_count_as_moving():
    after = {FIRST: OffsetAndMetadata(4, "1:AgIGAQ")}
    assert checks(GroupSeen("g", STABLE, WAITING, at(first=4), after, 3.0))["progress"] == "ok"


def test_requests_that_do_not_move_are_a_fault_that_names_partition_and_member():
    (*_, found) = judged(GroupSeen("g", STABLE, WAITING, at(first=4), at(first=4), 3.0))
    assert (found.level, found.what) == ("fault", "6 requests wait and do not move: requests/0")
    assert "worker-1 on 10.0.0.5" in found.mend


def test_one_partition_that_does_not_move_beside_others_is_a_warning():
    lags = {FIRST: Lag(0, 10, 4), SECOND: Lag(0, 5, 1)}
    seen = GroupSeen("g", STABLE, lags, at(first=4, second=1), at(first=9, second=1), 3.0)
    (*_, found) = judged(seen)
    assert (found.level, found.what) == ("warning", "4 requests wait and do not move: requests/1")


def test_marks_of_transactions_are_no_requests():
    seen = GroupSeen("g", STABLE, WAITING, at(first=4), at(first=4), 3.0, empty=frozenset({FIRST}))
    assert checks(seen) == {"members": "ok", "progress": "ok"}


def test_partition_that_nobody_owns_is_a_fault():
    alone = ConsumerGroup("Stable", (replace(BOTH, owns=frozenset({FIRST})),))
    (found,) = [each for each in judged(GroupSeen("g", alone, IDLE, {})) if each.check == "unowned"]
    assert (found.level, found.what) == ("fault", "nobody reads requests/1")


def test_other_service_in_the_group_is_a_warning():
    stranger = Member("other", "10.0.0.6", frozenset({TopicPartition("orders", 0)}))
    seen = GroupSeen("g", ConsumerGroup("Stable", (BOTH, stranger)), IDLE, {})
    (found,) = [each for each in judged(seen) if each.check == "strangers"]
    assert found.what == "other on 10.0.0.6 reads orders in this group"


def test_requests_that_retention_removed_are_counted():
    (_, found) = judged(GroupSeen("g", ConsumerGroup("Empty"), {FIRST: Lag(100, 200, 60)}, at(first=60)))
    assert (found.level, found.what) == ("fault", "40 requests were removed before they were served: requests/0")
    assert "retention.ms=604800000" in found.commands[0]


def test_commit_beyond_the_end_is_a_fault_with_the_command_that_resets_it():
    (_, found) = judged(GroupSeen("g", ConsumerGroup("Empty"), {FIRST: Lag(0, 20, 500)}, at(first=500)))
    assert (found.check, found.level) == ("beyond", "fault")
    assert found.commands == (
        "kafka-consumer-groups.sh --bootstrap-server k:1 --group g --topic requests "
        "--reset-offsets --to-earliest --execute",
    )
