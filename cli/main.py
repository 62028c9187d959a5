"""The `penstock` command.

Exit statuses: 0 done, 1 failed, 2 wrong usage, settings or models, 130 stopped.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import typer

from penstock.cli import broker, config, notices, streams
from penstock.cli.bench.command import bench
from penstock.cli.control import history, keys, lane
from penstock.cli.control.deployment import deploy, promote, rollback, undeploy
from penstock.cli.control.status import status
from penstock.cli.control.throttle import throttle
from penstock.cli.demo.command import demo
from penstock.cli.doctor.command import doctor
from penstock.cli.failures import FAILED, explain
from penstock.cli.help import HelpfulGroup
from penstock.cli.model import command as model
from penstock.cli.options import Json
from penstock.cli.predict.command import predict
from penstock.cli.project.command import init
from penstock.cli.schema import schema
from penstock.cli.stopping import STOPPED
from penstock.cli.terminal import print_json, say
from penstock.cli.top.command import top
from penstock.cli.topics.command import app as topics
from penstock.cli.worker import worker
from penstock.core.distribution import installed_version


class _Penstock(HelpfulGroup):
    sections: ClassVar[Mapping[str, Sequence[str]]] = {
        "Try it": ("demo", "init", "broker"),
        "Run it": ("topics", "worker", "predict"),
        "Steer it": ("deploy", "promote", "rollback", "undeploy", "throttle", "lane", "status", "control", "keys"),
        "Look after it": ("doctor", "top", "bench"),
        "Look into it": ("model", "config", "schema", "version"),
    }


app = typer.Typer(
    name="penstock",
    cls=_Penstock,
    help="""Asynchronous inference on Apache Kafka: requests in by topic, predictions out by topic.

    Settings come from options, PENSTOCK_<SECTION>__<NAME> variables and a TOML file, in this order.
    """,
    epilog="Exit status: 0 done; 1 failed; 2 wrong usage, settings or models; 130 stopped.",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo)
app.command()(init)
app.add_typer(broker.app)
app.add_typer(topics)
app.command()(worker)
for order in (deploy, promote, rollback, undeploy, throttle):
    app.command()(order)
app.add_typer(lane.app)
app.command()(status)
app.add_typer(history.app)
app.add_typer(keys.app)
app.command()(doctor)
app.command()(predict)
app.command()(bench)
app.command()(top)
app.add_typer(model.app)
app.add_typer(config.app)
app.command()(schema)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(installed_version())
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


@app.command()
def version(*, json: Json = False) -> None:
    """Print the version."""
    if json:
        print_json({"version": installed_version()})
    else:
        print(installed_version())


def main() -> None:
    """Run the command line and turn what goes wrong into a few lines for a person."""
    streams.make_whole()
    notices.configure()
    status = _status()
    streams.finish()
    raise SystemExit(status)


def _status() -> int:
    try:
        status = app(prog_name="penstock", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output, `head` for example, has had enough of it
        return FAILED
    except KeyboardInterrupt:
        say("Stopped.")
        return STOPPED
    except Exception as error:
        failure = explain(error, _command())
        if failure is None:
            raise
        say(f"penstock: {failure.message}")
        return failure.status
    return status if isinstance(status, int) else 0


def _command() -> str:
    """Return the words of the command line that name the command."""
    names: list[str] = []
    commands = getattr(typer.main.get_command(app), "commands", {})
    for word in sys.argv[1:]:
        if word not in commands:
            break
        names.append(word)
        commands = getattr(commands[word], "commands", {})
    return " ".join(names)


if __name__ == "__main__":
    main()
