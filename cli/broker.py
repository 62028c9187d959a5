"""``penstock broker``: a real Kafka on this machine, for trying things out."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.help import HelpfulGroup
from penstock.cli.stopping import run, run_until_stopped
from penstock.cli.terminal import progress

if TYPE_CHECKING:
    from penstock.broker import EmbeddedKafka

app = typer.Typer(name="broker", cls=HelpfulGroup, help="Run a real Apache Kafka on this machine.")

Version = Annotated[str | None, typer.Option(help="Kafka's version; by default the one tested.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use the cache alone, never the registry.")]


@app.command()
def start(
    *,
    port: Annotated[int | None, typer.Option(help="Port for clients; by default a free one.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder to keep the data in; by default it is removed at the end.")
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, max=9, help="Brokers, each a process of its own.")] = 1,
    version: Version = None,
    secure: Annotated[bool, typer.Option("--secure", help="Clients log in (SCRAM) and ACLs are checked.")] = False,
    offline: Offline = False,
) -> None:
    """Start a broker on this machine and run it until Ctrl-C.

    It listens on the loopback interface alone. Nothing but this package is needed: no Docker, no Java, no Maven.

    \b
    Examples:
      penstock broker start --port 9092
      penstock broker start --port 9092 --data-dir kafka-data
      penstock broker start --secure
    """
    from penstock.broker import DEFAULT_VERSION, EmbeddedKafka

    kafka = EmbeddedKafka(
        nodes=nodes,
        version=version or DEFAULT_VERSION,
        port=port,
        data_dir=data_dir,
        secure=secure,
        offline=offline,
    )
    run_until_stopped(_serve(kafka))


@app.command()
def prepare(version: Version = None, offline: Offline = False) -> None:
    """Fetch Kafka for later use without a network.

    Later starts are quicker too: Java's archive of Kafka's classes is made beforehand.

    \b
    Examples:
      penstock broker prepare
      penstock broker start --offline
    """
    from penstock.broker import DEFAULT_VERSION
    from penstock.broker.archive import prepare as prepare_broker

    chosen = version or DEFAULT_VERSION
    with progress(f"Kafka {chosen}"):
        run(prepare_broker(chosen, offline=offline))
    typer.echo(f"Kafka {chosen} is ready to start without a network.")


async def _serve(kafka: "EmbeddedKafka") -> None:
    from penstock.broker import BrokerError

    typer.echo(f"Starting Kafka {kafka.version} ...")
    async with kafka:
        _describe(kafka)
        ends = [asyncio.create_task(node.wait_ended()) for node in kafka.nodes]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        ended = next(node for node in kafka.nodes if not node.running)
        tail = await asyncio.to_thread(ended.log_tail, 3)
        raise BrokerError(f"node {ended.node_id} ended by itself; the end of its log:\n{tail}")


def _describe(kafka: "EmbeddedKafka") -> None:
    typer.echo(f"  bootstrap servers  {kafka.bootstrap_servers}")
    for user, password in kafka.users.items():
        typer.echo(f"  user, password     {user} {password}  (SASL_PLAINTEXT, SCRAM-SHA-512)")
    for node in kafka.nodes:
        typer.echo(f"  log                {node.log_path}")
    typer.echo("Press Ctrl-C to stop.")
    # Who reads this through a pipe waits for these lines.
    sys.stdout.flush()
