"""Judges the rights of this user: does an ACL keep the service from reading, answering or committing?"""

from collections.abc import Mapping
from typing import Any, Final

from penstock.cli.doctor.finding import ACCESS, Finding
from penstock.cli.remedies import KafkaTools
from penstock.consumer.lane import Role
from penstock.transport.authorized import Operation, Rights
from penstock.transport.cluster import Topic
from penstock.transport.membership import ConsumerGroup

_NEEDED: Final = {
    Role.REQUEST: (Operation.READ, Operation.DESCRIBE),
    Role.REPLY: (Operation.WRITE, Operation.DESCRIBE),
    Role.DEAD_LETTER: (Operation.WRITE, Operation.DESCRIBE),
}
# Who has one of these may DESCRIBE too. Source: Kafka's documentation, "Authorization and ACLs".
_IMPLY_DESCRIBE: Final = frozenset({Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER})
_WHY: Final = {
    Role.REQUEST: "A worker cannot read requests.",
    Role.REPLY: "A worker cannot write answers.",
    Role.DEAD_LETTER: "A worker cannot put aside what it cannot answer, and stops at it.",
}


def principal(client_options: Mapping[str, Any]) -> str:
    """Return the name that brokers know this user by; with TLS alone it is in the certificate, and not said here."""
    if client_options.get("sasl_plain_username"):
        return f"User:{client_options['sasl_plain_username']}"
    return "User:CN=..." if "ssl_context" in client_options else "User:ANONYMOUS"


def judge_access(
    topics: Mapping[str, Topic],
    roles: Mapping[str, Role],
    group: tuple[str, ConsumerGroup] | None,
    user: str,
    tools: KafkaTools,
) -> list[Finding]:
    """Judge the rights on the topics and the group.

    Args:
        topics: as they are seen; each of `roles` is there.
        roles: the topics of the service.
        group: its id, and what is known of it; None where no group is set or it could not be looked at.
        user: from `principal`.
        tools: for the commands.
    """
    found: list[Finding] = []
    for role in Role:
        lacking: dict[tuple[Operation, ...], list[str]] = {}
        for name, its in roles.items():
            missing = _missing(topics[name], role) if its is role else ()
            if missing:
                lacking.setdefault(missing, []).append(name)
        found += [_denied(role, names, missing, user, tools) for missing, names in lacking.items()]
    if group is not None:
        found += _group(*group, user, tools)
    if not found:
        told = all(topics[name].may is not None for name in roles)
        what = f"{user} may read requests, write answers and dead letters" + (", and use the group" if group else "")
        return [ACCESS.ok("rights", what) if told else ACCESS.skipped("rights", "the brokers do not tell rights")]
    return found


def _missing(topic: Topic, role: Role) -> tuple[Operation, ...]:
    may: Rights | None = frozenset() if topic.hidden else topic.may
    if may is None:
        return ()
    implied = may | {Operation.DESCRIBE} if may & _IMPLY_DESCRIBE else may
    return tuple(operation for operation in _NEEDED[role] if operation not in implied)


def _denied(role: Role, names: list[str], missing: tuple[Operation, ...], user: str, tools: KafkaTools) -> Finding:
    words = [operation.option for operation in missing]
    resource = [word for name in names for word in ("--topic", name)]
    return ACCESS.fault(
        f"{role} topics",
        f"{user} lacks {' and '.join(words)} on {', '.join(names)}",
        _WHY[role],
        "Somebody who may change ACLs gives the right with:",
        (tools.allow(user, words, resource),),
    )


def _group(name: str, group: ConsumerGroup, user: str, tools: KafkaTools) -> list[Finding]:
    if group.may is None or Operation.READ in group.may:
        return []
    return [
        ACCESS.fault(
            "group",
            f"{user} lacks Read on group {name}",
            "A worker cannot join the group, nor commit.",
            "Somebody who may change ACLs gives the right with:",
            (tools.allow(user, [Operation.READ.option], ("--group", name)),),
        )
    ]
