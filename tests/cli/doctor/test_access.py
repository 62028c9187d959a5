"""Judging the rights of a user; what real brokers say of them is in `test_secured.py`."""

import pytest

from penstock.cli.doctor.access import judge_access, principal
from penstock.cli.remedies import KafkaTools
from penstock.consumer.lane import Role
from penstock.transport.authorized import Operation, Rights, rights
from penstock.transport.cluster import Topic
from penstock.transport.membership import HIDDEN, ConsumerGroup

READ, WRITE, DESCRIBE = Operation.READ, Operation.WRITE, Operation.DESCRIBE
ROLES = {"a": Role.REQUEST, "b": Role.REQUEST, "r": Role.REPLY, "a-dlt": Role.DEAD_LETTER}
NEEDED = {"a": {READ}, "b": {READ}, "r": {WRITE}, "a-dlt": {WRITE}}
MEMBER = ConsumerGroup("Stable", may=frozenset({READ}))


def judged(changed: dict[str, Rights | None] | None = None, group: ConsumerGroup = MEMBER):
    may = {name: frozenset(operations) for name, operations in NEEDED.items()} | (changed or {})
    topics = {name: Topic(name, may=operations) for name, operations in may.items()}
    return judge_access(topics, ROLES, ("g", group), "User:worker", KafkaTools("k:1"))


def test_rights_that_suffice_are_well():
    (found,) = judged()
    assert (found.level, found.what) == (
        "ok", "User:worker may read requests, write answers and dead letters, and use the group"
    )  # fmt: skip


LACKING = {
    "read": ({"a": frozenset({DESCRIBE})}, "Read on a", "--operation Read --topic a"),
    "read and see": ({"a": frozenset()}, "Read and Describe on a", "--operation Read --operation Describe --topic a"),
    "both": ({"a": frozenset({DESCRIBE}), "b": frozenset({WRITE})}, "Read on a, b", "--topic a --topic b"),
    "write": ({"r": frozenset({READ})}, "Write on r", "--operation Write --topic r"),
    "dead letters": ({"a-dlt": frozenset()}, "Write and Describe on a-dlt", "--operation Describe --topic a-dlt"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "lacks", "command"), LACKING.values(), ids=LACKING)
def test_right_that_is_lacking_is_named_with_the_command_that_gives_it(changed, lacks, command):
    (found,) = judged(changed)
    assert (found.level, found.what) == ("fault", f"User:worker lacks {lacks}")
    assert found.commands[0].startswith("kafka-acls.sh --bootstrap-server k:1 --add --allow-principal User:worker ")
    assert found.commands[0].endswith(command)


def test_topic_that_is_hidden_lacks_every_right():
    topics = {name: Topic(name, hidden=name == "r", may=frozenset({READ, WRITE})) for name in ROLES}
    (found,) = judge_access(topics, ROLES, None, "User:worker", KafkaTools("k:1"))
    assert found.what == "User:worker lacks Write and Describe on r"


@pytest.mark.parametrize("group", [HIDDEN, ConsumerGroup("Stable", may=frozenset({DESCRIBE}))])
def test_group_needs_read(group: ConsumerGroup):
    (found,) = judged(group=group)
    assert found.what == "User:worker lacks Read on group g"
    assert found.commands[0].endswith("--operation Read --group g")


def test_brokers_that_tell_no_rights_are_no_fault():
    (found,) = judged(dict.fromkeys(ROLES), ConsumerGroup("Stable", may=None))
    assert found.level == "skipped"


@pytest.mark.parametrize(
    ("options", "name"),
    [({"sasl_plain_username": "worker"}, "User:worker"), ({"ssl_context": 1}, "User:CN=..."), ({}, "User:ANONYMOUS")],
)
def test_user_has_the_name_that_acls_know(options: dict[str, object], name: str):
    assert principal(options) == name


def test_bits_are_rights():
    assert rights(1 << 3 | 1 << 8) == frozenset({READ, DESCRIBE})
    assert rights(0) == frozenset()
    assert rights(-(2**31)) is None
    assert Operation.DESCRIBE_CONFIGS.option == "DescribeConfigs"
