"""The `penstock` command.

Exit statuses: 0 done, 1 failed, 2 wrong usage, settings or models, 130 stopped.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import typer

from penstock.cli import notices, streams
from penstock.cli.commands import COMMANDS, HOMES
from penstock.cli.failures import FAILED, STOPPED, explain
from penstock.cli.lazy import Home, LazyGroup
from penstock.cli.terminal import say


class _Penstock(LazyGroup):
    homes: ClassVar[Mapping[str, Home]] = HOMES
    sections: ClassVar[Mapping[str, Sequence[str]]] = {heading: tuple(homes) for heading, homes in COMMANDS.items()}


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


def _print_version(wanted: bool) -> None:
    if wanted:
        from penstock.core.distribution import installed_version

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


def main() -> None:
    """Run the command line and turn what goes wrong into a few lines for a person."""
    streams.make_whole()
    status = _status()
    streams.finish()
    raise SystemExit(status)


def _status() -> int:
    try:
        status = app(prog_name="penstock", standalone_mode=False, obj=notices.configure)
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
