"""Judges the topics of a service."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.cli.doctor.finding import TOPICS, Finding
from penstock.cli.doctor.partitions import judge_partitions
from penstock.cli.figures import counted
from penstock.cli.remedies import KafkaTools
from penstock.cli.topics.plan import duration
from penstock.consumer.lane import REQUEST_COMPRESSION, Role, Sizes, in_sync_for, message_bytes
from penstock.transport.authorized import Operation
from penstock.transport.cluster import Topic

_SHORTEST_MS: Final = 3_600_000  # of retention


@dataclass(frozen=True, slots=True)
class Lane:
    """What the topics have to be good for.

    Attributes:
        roles: the topics of the service.
        sizes: what must fit in; `limited` says that somebody has set a bound on requests on purpose.
        processes: that share the requests.
        brokers: of the cluster.
        auto_create: whether brokers make a topic when somebody names it; None where that may not be seen.
        user: as ACLs name who we are.
        create: our command that makes what is missing.
        tools: for the other commands.
    """

    roles: Mapping[str, Role]
    sizes: Sizes
    limited: bool
    processes: int
    brokers: int
    auto_create: bool | None
    user: str
    create: str
    tools: KafkaTools


def judge_topics(topics: Mapping[str, Topic], settings: Mapping[str, Mapping[str, str]], lane: Lane) -> list[Finding]:
    """Judge every topic of the service.

    Args:
        topics: as they are; each of `lane.roles` is there.
        settings: by topic; those one may not see are left out.
        lane: what they have to be good for.
    """
    found = list(_absent(topics, lane))
    for name, role in lane.roles.items():
        topic = topics[name]
        if not topic.partitions:
            continue
        own = settings.get(name)
        faults = [*_copies(topic, lane), *_settings(topic, role, own or {}, lane)]
        found += faults or [TOPICS.ok("topic", _described(topic, role, own))]
    found += judge_partitions([topics[name] for name in lane.roles], settings, lane.tools)
    requests = [topics[name] for name, role in lane.roles.items() if role is Role.REQUEST]
    found += _share(requests, lane)
    unseen = [name for name in lane.roles if topics[name].partitions and name not in settings]
    if unseen:
        found.append(_unseen(unseen, lane))
    return found


def _unseen(names: list[str], lane: Lane) -> Finding:
    resource = [word for name in names for word in ("--topic", name)]
    return TOPICS.skipped(
        "settings",
        f"settings of {', '.join(names)}: not for this user to see",
        "A worker does not need to. To have them checked too:",
        (lane.tools.allow(lane.user, [Operation.DESCRIBE_CONFIGS.option], resource),),
    )


def _absent(topics: Mapping[str, Topic], lane: Lane) -> Iterator[Finding]:
    """Name what is not there, or not for this user to see."""
    hidden = [name for name in lane.roles if topics[name].hidden]
    if hidden:
        what = f"{', '.join(hidden)}: missing, or not for this user to see"
        mend = "Give the rights that access asks for, below. Make what is missing then:"
        yield TOPICS.fault("missing", what, "Brokers do not tell the two apart.", mend, (lane.create,))
    missing = [name for name in lane.roles if not topics[name].partitions and not topics[name].hidden]
    if not missing:
        return
    what = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    mend = "Make what is missing, or correct the name in the settings:"
    if all(lane.roles[name] is Role.DEAD_LETTER for name in missing):
        why = "What cannot be answered goes there. A worker makes it when needed, if it may."
        yield TOPICS.warning("missing", what, why, mend, (lane.create,))
        return
    why = "Clients send to request topics, and workers answer on the reply topic."
    if lane.auto_create:
        why += " A broker makes one when it is named (auto.create.topics.enable), with settings of its own."
    yield TOPICS.fault("missing", what, why, mend, (lane.create,))


def _described(topic: Topic, role: Role, settings: Mapping[str, str] | None) -> str:
    count, copies = len(topic.partitions), topic.replication
    parts = [counted(count, "partition"), counted(copies, "copy", "copies")]
    if settings and "retention.ms" in settings:
        parts.append(f"kept {duration(settings['retention.ms'])}")
    return f"{topic.name} ({role}): {', '.join(parts)}"


def _share(requests: Sequence[Topic], lane: Lane) -> Iterator[Finding]:
    count = sum(len(topic.partitions) for topic in requests)
    if not 0 < count < lane.processes:
        return
    topic = requests[0].name
    yield TOPICS.warning(
        "processes",
        f"{counted(count, 'partition')} for {lane.processes} worker processes",
        f"A partition has one reader: {lane.processes - count} of the processes have nothing to do.",
        "Add partitions (keys then change partitions), or run fewer processes.",
        (lane.tools.set_partitions(topic, len(requests[0].partitions) + lane.processes - count),),
    )


def _copies(topic: Topic, lane: Lane) -> Iterator[Finding]:
    if topic.replication == 1 < lane.brokers:
        yield TOPICS.warning(
            "replication",
            f"{topic.name} has one copy, and the cluster {lane.brokers} brokers",
            "When the broker that has it is down, its partitions are too.",
            "Raise it with kafka-reassign-partitions.sh, or make the topic again while it is empty.",
        )


def _settings(topic: Topic, role: Role, settings: Mapping[str, str], lane: Lane) -> Iterator[Finding]:
    """Judge the settings that are seen."""
    yield from _in_sync(topic, settings, lane)
    yield from _sizes(topic, role, settings, lane)
    name, tools = topic.name, lane.tools
    policy = settings.get("cleanup.policy", "delete")
    if "compact" in policy.split(",") and role is not Role.DEAD_LETTER:
        why = "Kafka refuses records without a key on it, and removes all but the last of a key: requests are lost."
        what = f"{name} is compacted (cleanup.policy={policy})"
        yield TOPICS.fault("cleanup", what, why, "", (tools.set_topic(name, {"cleanup.policy": "delete"}),))
    kept_ms = int(settings.get("retention.ms", -1))
    if 0 <= kept_ms < _SHORTEST_MS:
        why = "What is not read by then is gone: a stop of the workers, or of a client, loses records."
        command = tools.set_topic(name, {"retention.ms": str(24 * _SHORTEST_MS)})
        yield TOPICS.warning("retention", f"{name} keeps records for {duration(str(kept_ms))}", why, "", (command,))
    key, wanted = REQUEST_COMPRESSION
    compression = settings.get(key, wanted)
    if role is Role.REQUEST and compression != wanted:
        why = "Brokers check a batch's size while it is compressed: a small one may hold a record of any size."
        command = tools.set_topic(name, {key: wanted})
        yield TOPICS.warning("compression", f"{name} has {key}={compression}", why, "", (command,))


def _in_sync(topic: Topic, settings: Mapping[str, str], lane: Lane) -> Iterator[Finding]:
    needed, copies = int(settings.get("min.insync.replicas", 1)), topic.replication
    command = lane.tools.set_topic(topic.name, {"min.insync.replicas": str(in_sync_for(copies))})
    what = f"{topic.name} has {counted(copies, 'copy', 'copies')} and min.insync.replicas={needed}"
    if needed > copies:
        yield TOPICS.fault("min.insync", what, "No write can have so many copies: all are refused.", "", (command,))
    elif needed == copies > 1:
        yield TOPICS.warning("min.insync", what, "One broker that is down stops all writes to it.", "", (command,))


def _sizes(topic: Topic, role: Role, settings: Mapping[str, str], lane: Lane) -> Iterator[Finding]:
    if "max.message.bytes" not in settings:
        return
    has, needed = int(settings["max.message.bytes"]), message_bytes(role, lane.sizes)
    # Without a bound set on purpose the service takes what the topic lets through.
    if has >= needed or (role is not Role.REPLY and not lane.limited):
        return
    why = {
        Role.REQUEST: "limits.max_bytes lets larger requests through, and brokers refuse them.",
        Role.REPLY: "worker.max_reply_bytes lets larger replies through; brokers refuse them, and the client is told.",
        Role.DEAD_LETTER: "A request of the largest size does not fit: its dead letter holds its coordinates alone.",
    }[role]
    command = lane.tools.set_topic(topic.name, {"max.message.bytes": str(needed)})
    what = f"{topic.name} takes messages of {has:,} bytes, and {needed:,} may come"
    yield TOPICS.warning("size", what, why, "", (command,))
