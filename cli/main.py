"""The `penstock` command.

Exit statuses: 0 done, 1 failed, 2 wrong usage, settings or models, 130 stopped at once.
"""

import sys
from importlib.metadata import version as installed_version
from typing import NoReturn

import typer

from penstock.cli import broker
from penstock.cli.demo import demo
from penstock.cli.extras import explain_missing
from penstock.cli.worker import worker
from penstock.schemas.errors import ConfigurationError, ModelError, PenstockError

app = typer.Typer(
    name="penstock",
    help="Asynchronous inference on Apache Kafka: requests in by topic, predictions out by topic.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo)
app.command()(worker)
app.add_typer(broker.app, name="broker")


@app.command()
def version() -> None:
    """Print the version."""
    print(installed_version("penstock"))


def main() -> None:
    """Run the command line and turn what goes wrong into a line for a person."""
    try:
        app()
    except (ConfigurationError, ModelError) as error:
        _fail(str(error), 2)
    except PenstockError as error:
        _fail(str(error), 1)
    except ImportError as error:
        command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        explanation = explain_missing(error, command)
        if explanation is None:
            raise
        _fail(explanation, 1)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _fail(message: str, status: int) -> NoReturn:
    print(f"penstock: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
