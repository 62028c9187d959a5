"""Which topics a service needs, with which settings, and how far one that is there differs. Pure.

Why these settings:

    compression.type=uncompressed   request topics. With any other value a broker checks the size of a batch as it
                                    came, compressed, and not of what it holds: a small batch may hold a huge record.
    max.message.bytes               what the service's own limits let through, and Kafka's default at least, because
                                    producers fill their batches up to that.
    min.insync.replicas             2 where there are 3 copies: an answer survives a broker, and writing goes on
                                    without one. Otherwise 1: more would stop writing as soon as a broker is down.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from penstock.cli.remedies import KafkaTools
from penstock.cli.topics.control_roles import ControlRole
from penstock.consumer.lane import REQUEST_COMPRESSION, Role, Sizes, in_sync_for, message_bytes, roles
from penstock.consumer.lane_settings import LaneSettings
from penstock.transport.cluster import Topic
from penstock.transport.control.topics import CONTROL_SETTINGS, STATUS_SETTINGS

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,6})\s*([smhd])")
_ONE_ORDER: Final = "name another topic (control.topic): commands need one order"
_RETENTION_S: Final = {Role.REQUEST: 7 * 86_400, Role.REPLY: 86_400, Role.DEAD_LETTER: 30 * 86_400}


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it should be made."""

    name: str
    role: Role | ControlRole
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a topic that is there differs.

    Attributes:
        setting: its name; `partitions` and `replication` too.
        there, planned: values as Kafka writes them.
        advice: what to do, in a few words; `leave it` where the difference does no harm.
        change: whether `commands` has what changes it.
    """

    setting: str
    there: str
    planned: str
    advice: str
    change: bool = False


def plan(
    lane: LaneSettings, sizes: Sizes, *, partitions: int, replication: int, retention_s: int | None
) -> list[TopicPlan]:
    """Plan the topics of a service.

    Args:
        lane: their names.
        sizes: what must fit in.
        partitions: of each topic.
        replication: copies of each partition.
        retention_s: how long records are kept; None is what suits the role.
    """
    return [
        TopicPlan(name, role, partitions, replication, _settings(role, sizes, replication, retention_s))
        for name, role in roles(lane).items()
    ]


def control_plan(roles_of: Mapping[str, ControlRole], replication: int) -> list[TopicPlan]:
    """Plan the topics of control: one partition each, because the order of commands is one.

    Args:
        roles_of: what `control_roles` returned.
        replication: copies of the partition.
    """
    settings = {ControlRole.COMMANDS: CONTROL_SETTINGS, ControlRole.STATUS: STATUS_SETTINGS}
    in_sync = {"min.insync.replicas": str(in_sync_for(replication))}
    return [TopicPlan(name, role, 1, replication, {**settings[role], **in_sync}) for name, role in roles_of.items()]


def _settings(role: Role, sizes: Sizes, replication: int, retention_s: int | None) -> dict[str, str]:
    kept_s = _RETENTION_S[role] if retention_s is None else retention_s
    chosen = {
        "cleanup.policy": "delete",
        "retention.ms": str(kept_s * 1000),
        "max.message.bytes": str(message_bytes(role, sizes)),
        "min.insync.replicas": str(in_sync_for(replication)),
    }
    return chosen | (dict([REQUEST_COMPRESSION]) if role is Role.REQUEST else {})


def replication_for(brokers: int) -> int:
    """Return how many copies a cluster of so many brokers should keep."""
    return min(3, max(1, brokers))


def differences(planned: TopicPlan, there: Topic, settings: Mapping[str, str] | None) -> list[Difference]:
    """Compare a topic that is there with its plan.

    Args:
        planned: as it would have been made.
        there: as it is.
        settings: the topic's; None where one may not see them.
    """
    found = list(_shape(planned, there))
    wanted = {**planned.settings, "min.insync.replicas": str(in_sync_for(there.replication))}
    for name, value in wanted.items():
        now = (settings or {}).get(name, value)
        if now != value:
            does_harm, advice = _HARM[name]
            harmful = does_harm(now, value)
            found.append(Difference(name, now, value, advice if harmful else "leave it", harmful))
    return found


def commands(topic: str, found: Iterable[Difference], tools: KafkaTools) -> list[str]:
    """Return the command lines that change what should be changed."""
    changes = {each.setting: each.planned for each in found if each.change}
    partitions = changes.pop("partitions", None)
    lines = [tools.set_partitions(topic, int(partitions))] if partitions else []
    return lines + ([tools.set_topic(topic, changes)] if changes else [])


def _shape(planned: TopicPlan, there: Topic) -> Iterator[Difference]:
    have, want = len(there.partitions), planned.partitions
    if have != want and planned.role is ControlRole.COMMANDS:
        yield Difference("partitions", str(have), str(want), _ONE_ORDER)
    elif have < want and planned.role is Role.REQUEST:
        advice = "add some for more workers; keys then change partitions"
        yield Difference("partitions", str(have), str(want), advice, change=True)
    elif have != want:
        yield Difference("partitions", str(have), str(want), "leave it")
    copies = there.replication
    if copies != planned.replication:
        advice = "leave it" if copies > planned.replication else "raise it with kafka-reassign-partitions.sh"
        yield Difference("replication", str(copies), str(planned.replication), advice)


def _differs(now: str, wanted: str) -> bool:
    return now != wanted


def _is_less(now: str, wanted: str) -> bool:
    return int(now) >= 0 and not 0 <= int(wanted) <= int(now)  # -1 is without end


def _is_more(now: str, wanted: str) -> bool:
    return int(now) > int(wanted)


# Whether a value that differs does harm, and what to do about it.
_HARM: Final[Mapping[str, tuple[Callable[[str, str], bool], str]]] = {
    "cleanup.policy": (_differs, "change it: compacting removes records of the same key"),
    "compression.type": (_differs, "change it: a small batch may hold a huge record"),
    "min.insync.replicas": (_differs, "change it, for this number of copies"),
    "message.timestamp.type": (_differs, "change it: whether a command has expired is judged by the broker's time"),
    "retention.bytes": (_is_less, "change it: commands must stay"),
    "retention.ms": (_is_less, "change it, if records are to stay that long"),
    "segment.ms": (_is_more, "change it: what is older stays until its segment is full"),
    "max.message.bytes": (_is_less, "change it, if messages may be that large"),
}


def parse_duration(text: str) -> int:
    """Turn `7d`, `12h`, `30m` or `45s` into seconds.

    Raises:
        ValueError: it is nothing like that.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is no duration such as 7d, 12h or 30m")
    return int(match[1]) * _UNITS[match[2]]


def duration(milliseconds: str) -> str:
    """Say a `retention.ms` in words, as `7 d`."""
    ms = int(milliseconds)
    if ms < 0:
        return "for ever"
    for unit, seconds in reversed(_UNITS.items()):
        if ms >= seconds * 1000 and ms % (seconds * 1000) == 0:
            return f"{ms // (seconds * 1000)} {unit}"
    return f"{ms} ms"
