"""The control topic and the status topic: how they are made, and what the control topic must be."""

from collections.abc import Mapping
from typing import Any, Final

from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.transport.authorized import AuthorizedMetadata
from penstock.transport.cluster import Topic
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.topics import create_topics

# One order of all commands, each with the broker's own time, kept for ever.
CONTROL_SETTINGS: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
}
# A segment that is written to all the time is deleted only when it is closed.
STATUS_SETTINGS: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "retention.ms": str(24 * 3_600_000),
    "segment.ms": str(3_600_000),
    "message.timestamp.type": "LogAppendTime",
}
_WHY: Final[Mapping[str, str]] = {
    "cleanup.policy": "compaction takes away history, and lets a refused command push out a good one",
    "retention.ms": "commands must stay",
    "retention.bytes": "commands must stay",
    "message.timestamp.type": "the broker's time tells whether a command has expired",
}


async def ensure_control_topics(
    client_options: dict[str, Any], control_topic: str, status_topic: str, *, timeout_s: float = 15.0
) -> list[str]:
    """Create the two topics of a service where they are missing; what is there stays as it is.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        control_topic: of the commands.
        status_topic: where workers report.
        timeout_s: bound on the whole call.

    Returns:
        The names that were created.

    Raises:
        TransportError: Kafka could not be reached, or refused.
    """
    return await create_topics(
        client_options,
        {control_topic: 1, status_topic: 1},
        own_configs={control_topic: CONTROL_SETTINGS, status_topic: STATUS_SETTINGS},
        timeout_s=timeout_s,
    )


async def check_control_topic(reader: ClusterReader, topic: str) -> None:
    """Look whether a topic can hold commands; settings that this user may not see are taken to be right.

    Args:
        reader: connected.
        topic: its name; asking does not create it.

    Raises:
        ConfigurationError: it is missing, or made otherwise than it must be.
        TransportError: no broker answered by the deadline.
    """
    found = (await reader.describe([topic])).topics[topic]
    if not found.partitions:
        raise ConfigurationError(
            f"control topic {topic} does not exist, or is not for this user to see.\n"
            "Is its name right? `penstock topics create` makes a service's topics."
        )
    settings = (await reader.topic_settings([topic])).get(topic, {})
    faults = control_topic_faults(found, settings)
    if faults:
        raise ConfigurationError(f"control topic {topic} cannot hold commands: {'; '.join(faults)}.\n{_remedy(found)}")


def control_topic_faults(topic: Topic, settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a control topic, one phrase each.

    Args:
        topic: as the cluster describes it.
        settings: those that could be read; what is missing is taken to be right.
    """
    faults = []
    if len(topic.partitions) != 1:
        faults.append(f"it has {len(topic.partitions)} partitions, and commands need one order: 1")
    for name, wanted in CONTROL_SETTINGS.items():
        if settings.get(name, wanted) != wanted:
            faults.append(f"{name} is {settings[name]}, not {wanted} ({_WHY[name]})")
    return faults


def _remedy(topic: Topic) -> str:
    if len(topic.partitions) != 1:
        return "Partitions cannot be taken away: name another topic (control.topic), or delete this one if it is empty."
    changes = ",".join(f"{name}={value}" for name, value in CONTROL_SETTINGS.items())
    return (
        "To mend it: kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics "
        f"--entity-name {topic.name} --add-config {changes}"
    )


async def cluster_id(client_options: dict[str, Any], timeout_s: float) -> str:
    """Return Kafka's id of the cluster, which commands carry.

    Raises:
        TransportError: no broker answered by the deadline, or it does not tell.
    """
    async with ClusterReader(client_options, timeout_s=timeout_s) as reader:
        found = (await reader.ask(AuthorizedMetadata([]), "the cluster's id could not be read")).cluster_id
    if not found:
        raise TransportError("the cluster does not tell its id, so commands for it cannot be told from others")
    return str(found)
