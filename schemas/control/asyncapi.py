"""The whole service as an AsyncAPI 3.0 document: its topics, and which records are read from and written to each.

Source: AsyncAPI specification 3.0.0, and its Kafka bindings 0.5.0. It is written from the service's side, as the
specification asks: `receive` is what a worker reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.schemas.control.documents import definitions
from penstock.schemas.control.messages import SCHEMAS, messages
from penstock.schemas.headers import JSON_TYPE

_Document = dict[str, Any]
_BINDING: Final = "0.5.0"
_KEPT: Final = {"cleanup.policy": ["delete"], "retention.ms": -1}  # for ever
_ROLES: Final = {
    "requests": "Requests.",
    "replies": "Replies to requests that name no other topic.",
    "deadLetters": "Records that cannot be answered.",
    "control": "Commands to the service, kept for ever, where its settings turn control on.",
    "status": "What each worker says of itself, where control is on.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTopics:
    """The topics of a service.

    Attributes:
        requests: request topics.
        reply: of the replies to requests that name none.
        dead_letters: of the records that no reply can be sent to.
        control: of the commands; None where the group is not known.
        status: where workers say what they do; None likewise.
        brokers: host:port of some.
        secure: whether the connection to them is encrypted.
    """

    requests: Sequence[str]
    reply: str
    dead_letters: Sequence[str]
    control: str | None
    status: str | None
    brokers: Sequence[str]
    secure: bool = False


def asyncapi(topics: ServiceTopics, *, title: str, version: str) -> _Document:
    """Return the document.

    Args:
        topics: of the service.
        title: its name.
        version: of Penstock.
    """
    channels: dict[str, _Document] = {}
    requests = _add(channels, "requests", topics.requests, ["request"])
    _add(channels, "replies", [topics.reply], ["answer", "error"])
    letters = _add(channels, "deadLetters", topics.dead_letters, ["deadLetter"])
    _add(channels, "control", [topics.control], ["command", "snapshot"])
    _add(channels, "status", [topics.status], ["status"])
    channels["control"]["bindings"]["kafka"] |= {"partitions": 1, "topicConfiguration": dict(_KEPT)}
    operations = {
        **{f"receive.{name}": _operation("receive", name, "Reads a request, and answers it.") for name in requests},
        **{f"send.{name}": _operation("send", name, "Gives a record up.") for name in letters},
        "receive.control": _operation("receive", "control", "Follows a command. Every worker reads all of them."),
        "send.status": _operation("send", "status", "Reports, at each interval and after each change."),
    }
    for name in requests:
        operations[f"receive.{name}"]["reply"] = {"channel": _ref("channels", "replies")}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": version,
            "description": "Asynchronous inference on Apache Kafka: requests in by topic, predictions out by topic.",
        },
        "defaultContentType": JSON_TYPE,
        "servers": _servers(topics),
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages(), "schemas": {**SCHEMAS, **definitions("#/components/schemas/")}},
    }


def _servers(topics: ServiceTopics) -> _Document:
    protocol = "kafka-secure" if topics.secure else "kafka"
    return {f"broker{number}": {"host": host, "protocol": protocol} for number, host in enumerate(topics.brokers, 1)}


def _add(channels: dict[str, _Document], role: str, topics: Sequence[str | None], records: Sequence[str]) -> list[str]:
    """Add a channel for each topic of a role, and return their ids."""
    unique = list(dict.fromkeys(topics))
    added = {role if len(unique) == 1 else f"{role}.{topic}": topic for topic in unique}
    for id_, topic in added.items():
        channels[id_] = {
            "address": topic,
            "description": _ROLES[role],
            "messages": {each: _ref("components/messages", each) for each in records},
            "bindings": {"kafka": {"bindingVersion": _BINDING}},
        }
    return list(added)


def _operation(action: str, channel: str, summary: str) -> _Document:
    return {"action": action, "channel": _ref("channels", channel), "summary": summary}


def _ref(place: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/{place}/{name}"}
