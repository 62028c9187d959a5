"""`penstock status`: what is wanted of a service, and what its workers do."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.control.session import Session, session
from penstock.cli.options import BootstrapServers, Config, Json, Overrides
from penstock.cli.stopping import run, run_until_stopped
from penstock.cli.terminal import out, print_json

if TYPE_CHECKING:
    from penstock.cli.control.service_view import ServiceView
    from penstock.producer.control.control import Control

_TIMEOUT_S: Final = 15.0
_HINT: Final = "q ends"


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until q; needs a terminal.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.2, max=3600, help="Time between looks.")] = 1.0,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Show which versions serve, throttles, lanes, and who lags.

    Each worker says on the status topic which commands it has read, what it has loaded, and what it could not do.
    Workers that have read the same commands and want something else are said loudly: they show another digest at the
    same epoch. Exit status 1 where a worker disagrees, has failed, is gone, or says nothing.

    \b
    Examples:
      penstock status
      penstock status --watch
      penstock status --json
    """
    service = session(config, bootstrap_servers, settings)
    console = out()
    if watch and not json and console.is_terminal and not console.is_dumb_terminal:
        run_until_stopped(_live(service, interval))
        return
    from penstock.cli.control.status_page import document, print_page

    view = run(_once(service))
    if json:
        print_json(document(view))
    else:
        print_page(view)
    if view.problems:
        raise typer.Exit(1)


async def _once(service: Session) -> "ServiceView":
    async with service.control(_TIMEOUT_S) as control:
        return await _look(service, control)


async def _look(service: Session, control: "Control") -> "ServiceView":
    from penstock.cli.control.service_view import view_of
    from penstock.schemas.errors import TransportError
    from penstock.transport.control.statuses import GONE

    state, statuses = await control.state(), await control.status()
    try:
        members = await control.members()
    except TransportError:  # not for this user to see
        members = []
    speaking = {each.worker for each in statuses if each.state not in (GONE, "stopped")}
    silent = [each for each in members if each not in speaking]
    return view_of(service.group, service.topic, state, statuses, silent)


async def _live(service: Session, interval_s: float) -> None:
    from rich.live import Live

    from penstock.cli.control.status_page import live_page
    from penstock.cli.top.keyboard import keys
    from penstock.schemas.errors import TransportError

    ended = asyncio.Event()
    async with service.control(_TIMEOUT_S) as control:
        view = await _look(service, control)
        with (
            keys(lambda key: ended.set() if key in "qQ" else None),
            Live(live_page(view, _HINT), console=out(), screen=True, auto_refresh=False) as live,
        ):
            while not ended.is_set():
                try:
                    view = await _look(service, control)
                    page = live_page(view, _HINT)
                except TransportError as error:  # Kafka comes back
                    page = live_page(view, f"{_HINT}; {error}")
                live.update(page, refresh=True)
                try:
                    await asyncio.wait_for(ended.wait(), interval_s)
                except TimeoutError:
                    continue
