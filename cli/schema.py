"""`penstock schema`: what is on the topics, in the words of JSON Schema and AsyncAPI."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.options import BootstrapServers, Config, Json, Overrides, tool_settings
from penstock.cli.terminal import print_json, print_table

if TYPE_CHECKING:
    from penstock.consumer.settings import ToolSettings


class Document(StrEnum):
    """What can be printed."""

    COMMAND = "command"
    STATUS = "status"
    SNAPSHOT = "snapshot"
    ASYNCAPI = "asyncapi"


_SAYS: Final = {
    Document.COMMAND: "JSON Schema of the commands on the control topic",
    Document.STATUS: "JSON Schema of what workers say on the status topic",
    Document.SNAPSHOT: "JSON Schema of the snapshots on the control topic",
    Document.ASYNCAPI: "AsyncAPI 3.0 document of the whole service, with the topics of the settings",
}


def schema(
    document: Annotated[
        Document | None, typer.Argument(metavar="DOCUMENT", help="Which one; without it they are listed.")
    ] = None,
    *,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Print schemas of the records, for other languages.

    A document is JSON: a JSON Schema (2020-12) of what is on the control topic or the status topic, or the AsyncAPI
    document of the whole service, whose topics are those of the settings.

    \b
    Examples:
      penstock schema
      penstock schema command
      penstock schema asyncapi -c production.toml
    """
    if document is None:
        if json:
            print_json([{"document": each.value, "says": says} for each, says in _SAYS.items()])
        else:
            print_table(("document", "says"), [(each.value, says) for each, says in _SAYS.items()])
    elif document is Document.ASYNCAPI:
        print_json(_asyncapi(tool_settings(config, bootstrap_servers, settings)))
    else:
        from penstock.schemas.control.documents import json_schema

        print_json(json_schema(document.value))


def _asyncapi(settings: "ToolSettings") -> dict[str, Any]:
    from penstock.core.distribution import installed_version
    from penstock.schemas.control.asyncapi import ServiceTopics, asyncapi

    lane, group = settings.worker, settings.worker.group_id
    topics = ServiceTopics(
        requests=lane.request_topics,
        reply=lane.reply_topic,
        dead_letters=[lane.dead_letter_topic_of(topic) for topic in lane.request_topics],
        control=settings.control.topic_of(group) if group else settings.control.topic,
        status=settings.control.status_topic_of(group) if group else settings.control.status_topic,
        brokers=settings.kafka.bootstrap_servers,
        secure=settings.kafka.security_protocol in ("SSL", "SASL_SSL"),
    )
    return asyncapi(topics, title=group or "Penstock", version=installed_version())
