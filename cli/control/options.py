"""The options that all orders share, and how a function becomes a command that has them."""

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.control.carrying_out import How, carry_out
from penstock.cli.control.session import session
from penstock.cli.options import BootstrapServers, Config, Json, Overrides

if TYPE_CHECKING:
    from penstock.producer.control.results import Change

TIMEOUT_S: Final = 60.0  # a large model takes its time to load

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays in the log.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until every worker has done it.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=0.1, max=86_400, help="The longest wait.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]

# Gives an order: called with a Control, reason and dry_run.
Giving = Callable[..., Awaitable["Change"]]


def ordering(make: Callable[..., Giving]) -> Callable[..., None]:
    """Turn a function into a command: its own parameters, and after them the options that all orders share.

    Args:
        make: takes its parameters by name, and returns what gives the order.
    """

    def command(
        *,
        reason: Reason = "",
        wait: Wait = True,
        timeout: Timeout = TIMEOUT_S,
        dry_run: DryRun = False,
        config: Config = None,
        bootstrap_servers: BootstrapServers = None,
        settings: Overrides = None,
        json: Json = False,
        **own: Any,
    ) -> None:
        giving = make(**own)
        service = session(config, bootstrap_servers, settings)
        carry_out(service, partial(giving, reason=reason, dry_run=dry_run), How(wait, timeout, json))

    shared = [each for each in inspect.signature(command).parameters.values() if each.kind is each.KEYWORD_ONLY]
    parameters = [*inspect.signature(make).parameters.values(), *shared]
    shown: Any = command
    shown.__name__, shown.__doc__, shown.__module__ = make.__name__, make.__doc__, make.__module__
    # What typer makes options of: the signature, and the annotations in it.
    shown.__signature__ = inspect.Signature(parameters, return_annotation=None)
    shown.__annotations__ = {each.name: each.annotation for each in parameters}
    return command
