"""What stands in a node's server.properties; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.broker.ports import HOST

ADMIN = "admin"
# The principal of the nodes on the controllers' listener, where Kafka can't check SCRAM passwords.
CONTROLLER = "controller"
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_LOGIN = "org.apache.kafka.common.security"


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """Where one node listens and keeps its data. Ids count from 1."""

    node_id: int
    port: int
    controller_port: int
    data_dir: Path


@dataclass(frozen=True, kw_only=True)
class Passwords:
    """What the nodes of a secured cluster present to each other."""

    admin: str
    controller: str


def server_properties(
    spec: NodeSpec,
    nodes: Sequence[NodeSpec],
    *,
    passwords: Passwords | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the properties of ``spec``, a node of the cluster ``nodes``.

    Args:
        spec: the node.
        nodes: all nodes; each is broker and controller in one.
        passwords: given, clients and nodes have to authenticate and ACLs are checked.
        extra: properties of the caller's, which win.
    """
    protocol = "PLAINTEXT" if passwords is None else "SASL_PLAINTEXT"
    properties = {
        "process.roles": "broker,controller",
        "node.id": str(spec.node_id),
        "log.dirs": str(spec.data_dir),
        "listeners": f"CLIENT://{HOST}:{spec.port},CONTROLLER://{HOST}:{spec.controller_port}",
        "advertised.listeners": f"CLIENT://{HOST}:{spec.port}",
        "listener.security.protocol.map": f"CLIENT:{protocol},CONTROLLER:{protocol}",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        # A fixed quorum is read from here at each start, so the controllers' ports may change between starts.
        "controller.quorum.voters": ",".join(f"{node.node_id}@{HOST}:{node.controller_port}" for node in nodes),
    }
    properties |= _replication(len(nodes)) | _sessions(len(nodes)) | _SMALL
    if passwords is not None:
        properties |= _secured(passwords)
    return properties | dict(extra or {})


def _replication(nodes: int) -> dict[str, str]:
    copies, in_sync = str(min(3, nodes)), str(min(2, nodes))
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _sessions(nodes: int) -> dict[str, str]:
    """How long a node may be silent before it counts as gone.

    A killed node can't come back before its old session ends: 9 s by default. Alone it shares a process with the
    controller that counts, so a slow machine holds both and a short session is safe; with others it is not.
    """
    session_ms, heartbeat_ms = (1_000, 200) if nodes == 1 else (4_000, 500)
    return {
        "broker.session.timeout.ms": str(session_ms),
        "broker.heartbeat.interval.ms": str(heartbeat_ms),
    }


# What makes a broker for one laptop start and answer quickly; nothing here changes what a client sees.
_SMALL = {
    "group.initial.rebalance.delay.ms": "0",
    # The first group and the first transaction wait for these to be made: 50 partitions each by default.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    # The default takes 128 MiB of heap at the start.
    "log.cleaner.dedupe.buffer.size": str(4 * 2**20),
}


def _secured(passwords: Passwords) -> dict[str, str]:
    plain = f'username="{CONTROLLER}" password="{passwords.controller}"'
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN};User:{CONTROLLER}",
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "sasl.mechanism.inter.broker.protocol": MECHANISMS[-1],
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{_LOGIN}.plain.PlainLoginModule required {plain} user_{CONTROLLER}="{passwords.controller}";'
        ),
    }
    for mechanism in MECHANISMS:
        properties[f"listener.name.client.{mechanism.lower()}.sasl.jaas.config"] = (
            f'{_LOGIN}.scram.ScramLoginModule required username="{ADMIN}" password="{passwords.admin}";'
        )
    return properties


def render(properties: Mapping[str, str]) -> str:
    """Return the text of a Java properties file."""
    return "".join(f"{_escaped(key, ' =:#!')}={_escaped(value)}\n" for key, value in properties.items())


def parse(text: str) -> dict[str, str]:
    """Return the properties of a file Kafka wrote: plain lines of ``key=value``."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _escaped(text: str, special: str = "") -> str:
    out = []
    for position, character in enumerate(text):
        if character == "\\" or character in special or (character == " " and position == 0):
            out.append("\\" + character)
        elif " " <= character <= "~":
            out.append(character)
        else:
            encoded = character.encode("utf-16-be").hex()
            out.extend("\\u" + encoded[at : at + 4] for at in range(0, len(encoded), 4))
    return "".join(out)
