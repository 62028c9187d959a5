"""`penstock top`: a running service, live, in the terminal."""

import asyncio
import re
import signal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.options import BootstrapServers, Config, Json, Overrides, tool_settings
from penstock.cli.stopping import run, run_until_stopped
from penstock.cli.terminal import out, print_json

if TYPE_CHECKING:
    from penstock.cli.top.watching import Watching

_WINDOW_S: Final = 5.0  # a second alone jumps; a minute hides what happens now
_URL: Final = re.compile(
    r"(?P<scheme>https?://)?(?P<place>(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:(?P<port>\d{1,5}))?(/[^\s?#]*)?)"
)


def top(
    *,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    url: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Page of a worker process, http://host:port; repeatable.")
    ] = None,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.2, max=3600, help="Time between looks.")] = 1.0,
    once: Annotated[
        bool, typer.Option("--once", help="Print one page and end; so it is where no terminal is.")
    ] = False,
    json: Json = False,
    settings: Overrides = None,
) -> None:
    """Watch a running service: rates, lag, latency, errors.

    Reads the workers' metrics, and from Kafka the lag of every partition. Without --url it asks the workers of this
    machine at http.host and http.port of the settings; they say how many they are, and where their Kafka is.

    Rates, times and batches are of the last 5 seconds, counts since the workers' start. Press q to end.

    \b
    Examples:
      penstock top
      penstock top --url http://10.0.0.7:8090 --url http://10.0.0.8:8090
      penstock top --once --json
    """
    from penstock.cli.top.watching import Watching

    loaded = tool_settings(config, bootstrap_servers, settings)
    urls = [page_address(each) for each in url or ()]
    if not urls and not (loaded.http.enabled and loaded.http.port):
        raise typer.BadParameter(
            "http.enabled and http.port of the settings do not say where the workers' pages are; their logs do",
            param_hint="--url",
        )
    console = out()
    alone = once or json or not console.is_terminal or console.is_dumb_terminal
    window_s = interval if alone else max(_WINDOW_S, interval)
    watching = Watching(loaded, urls, interval_s=interval, window_s=window_s)
    if alone:
        run(_print_once(watching, interval, json=json))
    else:
        run_until_stopped(_live(watching, interval))


async def _print_once(watching: "Watching", interval_s: float, *, json: bool) -> None:
    from penstock.cli.top.page import Page
    from penstock.cli.top.view import as_document

    async with watching:
        await watching.begin()
        await watching.again()
        watching.view()  # where the lag's trend begins
        await asyncio.sleep(interval_s)
        await watching.again()
        view = watching.view()
    if json:
        print_json(as_document(view))
    else:
        out().print(Page(view))


async def _live(watching: "Watching", interval_s: float) -> None:
    from rich.live import Live

    from penstock.cli.top.keyboard import keys
    from penstock.cli.top.page import Page

    async with watching:
        await watching.begin()
        ended = asyncio.Event()
        hint = f"q ends   every {interval_s:g} s; rates and times of the last {max(_WINDOW_S, interval_s):g} s"
        page = Page(watching.view(), hint)
        with (
            keys(lambda key: ended.set() if key in "qQ" else None),
            Live(page, console=out(), screen=True, auto_refresh=False) as live,
        ):
            asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, live.refresh)
            while not ended.is_set():
                watching.keep_looking()
                live.update(Page(watching.view(), hint), refresh=True)
                try:
                    await asyncio.wait_for(ended.wait(), interval_s)
                except TimeoutError:
                    continue


def page_address(url: str) -> str:
    """Complete the address of a worker's pages.

    Raises:
        typer.BadParameter: it is none.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise typer.BadParameter(f"{url!r} is not http://host:port", param_hint="--url")
    if found["port"] and not 0 < int(found["port"]) < 65_536:
        raise typer.BadParameter(f"{url!r} has no port from 1 to 65535", param_hint="--url")
    return (found["scheme"] or "http://") + found["place"].removesuffix("/metrics").rstrip("/")
