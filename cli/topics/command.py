"""`penstock topics`: make the topics of a service, and look at them."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.help import HelpfulGroup
from penstock.cli.options import BootstrapServers, Config, Json, Overrides, partial_settings, tool_settings
from penstock.cli.stopping import run
from penstock.cli.terminal import print_json, print_table, progress, say

if TYPE_CHECKING:
    from penstock.cli.remedies import KafkaTools, Own
    from penstock.cli.topics.creation import Made
    from penstock.cli.topics.listing import ListedTopic
    from penstock.cli.topics.plan import TopicPlan

app = typer.Typer(name="topics", cls=HelpfulGroup, help="Make a service's topics, and look at them.")

_PARTITIONS: Final = 8
_COMMAND_WIDTH: Final = 80


Partitions = Annotated[int, typer.Option(min=1, max=10_000, help="Of each topic but those of control.")]
Replication = Annotated[
    int | None, typer.Option(min=1, max=100, help="Copies of each partition; by default 3, or one per broker of fewer.")
]
Retention = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long requests, replies and dead letters are kept, as 7d or 12h; by default 7d, 1d and 30d.",
    ),
]
Printed = Annotated[bool, typer.Option("--print", help="Print commands of Kafka's own tool instead, and make nothing.")]


@app.command()
def create(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    partitions: Partitions = _PARTITIONS,
    replication_factor: Replication = None,
    retention: Retention = None,
    settings: Overrides = None,
    printed: Printed = False,
    json: Json = False,
) -> None:
    """Make the topics that a service needs.

    These are its request topics, the reply topic and a dead-letter topic for each request topic, with settings that
    suit them. A topic that is there is left alone; how it differs is said, with the command that would change it.
    Where control.enabled is set, the control topic and the status topic are made too, each with one partition.

    The number of partitions bounds how many worker processes share the work. Request topics get
    compression.type=uncompressed: otherwise a broker checks a batch's size while it is compressed, and a small batch
    may hold a huge record.

    \b
    Examples:
      penstock topics create
      penstock topics create --partitions 16 --retention 3d
      penstock topics create --print
    """
    from penstock.cli.remedies import KafkaTools
    from penstock.cli.topics.creation import TopicSettings, Wanted, make, planned

    loaded = partial_settings(TopicSettings, config, bootstrap_servers, settings)
    wanted = Wanted(partitions, replication_factor, _seconds(retention))
    tools = KafkaTools.of(loaded.kafka)
    if printed:
        _print_commands(run(planned(loaded, wanted)), tools, json=json)
        return
    with progress("topics"):
        made = run(make(loaded, wanted, tools))
    if json:
        print_json({"topics": made})
    else:
        _print_made(made)


@app.command("list")
def list_topics(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    every: Annotated[bool, typer.Option("--all", help="Every topic of the cluster.")] = False,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """List the topics of a service, and what lies in them.

    `messages` counts what lies between the beginning and the end of the partitions. `waiting` is what the service's
    group has not answered yet; it needs worker.group_id.

    \b
    Examples:
      penstock topics list
      penstock topics list --all --json
    """
    from penstock.cli.remedies import Own
    from penstock.cli.topics.listing import look

    loaded = tool_settings(config, bootstrap_servers, settings)
    with progress("topics"):
        found = run(look(loaded, every=every))
    if json:
        print_json({"topics": found})
    else:
        _print_found(found, Own(config, bootstrap_servers, settings or ()))


def _seconds(retention: str | None) -> int | None:
    from penstock.cli.topics.plan import parse_duration

    if retention is None:
        return None
    try:
        return parse_duration(retention)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--retention") from None


def _print_commands(plans: "list[TopicPlan]", tools: "KafkaTools", *, json: bool) -> None:
    from penstock.cli.remedies import folded

    commands = [tools.create_topic(each.name, each.partitions, each.replication, each.settings) for each in plans]
    if json:
        print_json({"commands": commands})
        return
    for command in commands:
        print("\n".join(folded(command, _COMMAND_WIDTH)))


def _print_made(made: "list[Made]") -> None:
    from penstock.cli.remedies import folded

    print_table(
        ("topic", "for", "partitions", "replication", "state"),
        [
            (each.name, each.role, each.partitions, each.replication, "created" if each.created else "there")
            for each in made
        ],
        right=("partitions", "replication"),
    )
    for each in made:
        if each.differences:
            print(f"\n{each.name} is as it was. It differs from what would have been made:")
        for difference in each.differences:
            print(f"  {difference.setting} {difference.there}, not {difference.planned}: {difference.advice}")
        for command in each.commands:
            print("\n".join(f"    {line}" for line in folded(command, _COMMAND_WIDTH - 4)))
        if not each.settings_seen:
            print(f"\n{each.name}: its settings may not be seen (DESCRIBE_CONFIGS), so they were not compared.")


def _print_found(found: "list[ListedTopic]", own: "Own") -> None:
    columns = ("topic", "for", "partitions", "replication", "messages", "waiting", "kept")
    rows = [
        (
            each.name,
            each.role or "",
            each.partitions,
            each.replication,
            "?" if each.messages is None else f"{each.messages:,}",
            "" if each.waiting is None else f"{each.waiting:,}",
            each.kept or "?",
        )
        for each in found
        if each.partitions
    ]
    if rows:
        print_table(columns, rows, right=columns[2:6])
    missing = [each.name for each in found if not each.partitions and not each.hidden]
    hidden = [each.name for each in found if each.hidden]
    if missing:
        say(f"missing: {', '.join(missing)}. Make what is missing with:\n  {own.command('topics', 'create')}")
    if hidden:
        say(f"missing, or not for this user to see (DESCRIBE): {', '.join(hidden)}. See: {own.command('doctor')}")
