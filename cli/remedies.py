"""Command lines that a person is told to type: Penstock's own, and those of Kafka's tools as Kafka 4 has them.

Each is one line for a POSIX shell; `folded` breaks a long one into lines that can be cut and pasted.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import fields_of, is_secret
from penstock.transport.settings import KafkaSettings

_ADMIN_FILE: Final = "admin.properties"  # with the log-in of somebody who may do what the command does
_INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Own:
    """The options that every command of ours shares, as they were given, so that a remedy repeats them.

    Attributes:
        config, bootstrap_servers, overrides: what the options of `penstock.cli.options` said.
    """

    config: Path | None = None
    bootstrap_servers: str | None = None
    overrides: Sequence[str] = ()

    def command(self, *words: str) -> str:
        """Return a command of ours with these options; passwords are left out."""
        secret = {name for name, field in fields_of(ServiceSettings) if is_secret(field)}
        given = ["-c", str(self.config)] if self.config else []
        given += ["-b", self.bootstrap_servers] if self.bootstrap_servers else []
        for pair in self.overrides:
            name, _, value = pair.partition("=")
            name = name.strip()
            given += ["--set", f"{name}={'...' if name in secret else value}"]
        return shlex.join(["penstock", *words, *given])


@dataclass(frozen=True, slots=True)
class KafkaTools:
    """Kafka's own tools, on one cluster.

    Attributes:
        bootstrap_servers: host:port, joined by commas.
        secured: one has to log in, so that the tools need a file that says how.
    """

    bootstrap_servers: str
    secured: bool = False

    @classmethod
    def of(cls, kafka: KafkaSettings) -> "KafkaTools":
        """Make those for the cluster of these settings."""
        return cls(",".join(kafka.bootstrap_servers), kafka.security_protocol != "PLAINTEXT")

    def create_topic(self, name: str, partitions: int, replication: int, settings: Mapping[str, str]) -> str:
        """Make a topic where it is not there."""
        configs = [word for key, value in settings.items() for word in ("--config", f"{key}={value}")]
        sizes = ["--partitions", str(partitions), "--replication-factor", str(replication)]
        return self._line("kafka-topics.sh", "--create", "--if-not-exists", "--topic", name, *sizes, *configs)

    def set_partitions(self, topic: str, partitions: int) -> str:
        """Give a topic more partitions."""
        return self._line("kafka-topics.sh", "--alter", "--topic", topic, "--partitions", str(partitions))

    def set_topic(self, topic: str, settings: Mapping[str, str]) -> str:
        """Change settings of a topic."""
        # Square brackets are how the tool takes a value that holds commas.
        pairs = ",".join(f"{key}=[{value}]" if "," in value else f"{key}={value}" for key, value in settings.items())
        entity = ("--entity-type", "topics", "--entity-name", topic)
        return self._line("kafka-configs.sh", "--alter", *entity, "--add-config", pairs)

    def describe_topic(self, topic: str) -> str:
        """Show a topic's partitions, with leaders and replicas."""
        return self._line("kafka-topics.sh", "--describe", "--topic", topic)

    def allow(self, principal: str, operations: Iterable[str], resource: Sequence[str]) -> str:
        """Give rights.

        Args:
            principal: as `User:worker`.
            operations: as `Read`.
            resource: as `--topic requests`, or `--cluster`.
        """
        words = [word for operation in operations for word in ("--operation", operation)]
        return self._line("kafka-acls.sh", "--add", "--allow-principal", principal, *words, *resource)

    def reset_offsets(self, group: str, topic: str, where: str) -> str:
        """Move a group that has no members to another place in a topic, as `--to-earliest`."""
        return self._line(
            "kafka-consumer-groups.sh", "--group", group, "--topic", topic, "--reset-offsets", where, "--execute"
        )

    def describe_group(self, group: str) -> str:
        """Show a group's members and offsets."""
        return self._line("kafka-consumer-groups.sh", "--describe", "--group", group)

    def _line(self, tool: str, *words: str) -> str:
        login = ["--command-config", _ADMIN_FILE] if self.secured else []
        return shlex.join([tool, "--bootstrap-server", self.bootstrap_servers, *login, *words])


def folded(command: str, width: int) -> list[str]:
    """Break a command line before its options, so that each line but the last ends with a backslash.

    Args:
        command: one line.
        width: characters that a line may have, if its words let it.
    """
    lines: list[str] = []
    for chunk in _options(shlex.split(command)):
        if lines and len(lines[-1]) + 1 + len(chunk) + 2 <= width:
            lines[-1] += f" {chunk}"
        else:
            lines.append(f"{_INDENT}{chunk}" if lines else chunk)
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _options(words: list[str]) -> list[str]:
    """Put each option and its value together."""
    chunks: list[list[str]] = [[]]
    for word in words:
        if word.startswith("-") and chunks[-1]:
            chunks.append([])
        chunks[-1].append(word)
    return [shlex.join(chunk) for chunk in chunks]
