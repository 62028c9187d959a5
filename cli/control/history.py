"""`penstock control`: what was asked of a service, and how that differs from what is."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.control.session import Session, session
from penstock.cli.figures import counted
from penstock.cli.help import HelpfulGroup
from penstock.cli.options import BootstrapServers, Config, Json, Overrides
from penstock.cli.stopping import run
from penstock.cli.terminal import print_json, printable

if TYPE_CHECKING:
    from penstock.schemas.control.fold import Verdict
    from penstock.schemas.control.specs import Spec

app = typer.Typer(name="control", cls=HelpfulGroup, help="Who asked what of a service, and when.")

_TIMEOUT_S: Final = 30.0
_LAST: Final = 20

Offset = Annotated[int | None, typer.Argument(metavar="[OFFSET]", min=-1, help="A place in the log.")]
Until = Annotated[int | None, typer.Argument(metavar="[OFFSET]", min=-1, help="A later one; by default its end.")]


@app.command()
def log(
    *,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The last so many.")] = _LAST,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Show who asked what, when and why, and what was refused.

    The newest command is the last. The number before each is its offset in the control topic, the epoch from which on
    it holds.

    \b
    Examples:
      penstock control log
      penstock control log --limit 1000 --json
    """
    from penstock.cli.control.past import document, told

    verdicts = run(_verdicts(session(config, bootstrap_servers, settings), limit))
    if json:
        print_json([document(each) for each in verdicts])
    elif not verdicts:
        print("No commands yet.")
    else:
        _print([told(each) for each in verdicts])


@app.command()
def snapshot(
    *,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
) -> None:
    """Write down what is wanted now, so that workers start without reading what was before.

    Orders do so by themselves, after each thousand. It takes a key of the workers' own file.

    \b
    Examples:
      penstock control snapshot
    """
    offset = run(_snapshot(session(config, bootstrap_servers, settings)))
    print(f"Snapshot written at offset {offset}: what comes before it need not be read any more.")


@app.command()
def diff(
    *,
    since: Offset = None,
    until: Until = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Compare what is wanted with what workers do, or with before.

    Without an offset: where a live worker does not do what is wanted, and why. With one: what has changed since the
    command there; with two: between them.

    \b
    Examples:
      penstock control diff
      penstock control diff 12
      penstock control diff 12 15 --json
    """
    service = session(config, bootstrap_servers, settings)
    if since is not None:
        _print_between(run(_verdicts(service, None)), since, until, json=json)
        return
    found, live = run(_lagging(service))
    if json:
        print_json({"workers": live, "differences": [{"resource": each[0], "lines": each[1:]} for each in found]})
    elif found:
        _print(found)
    else:
        print(f"{counted(live, 'live worker')}: nothing differs from what is wanted.")
    if found:
        raise typer.Exit(1)


async def _snapshot(service: Session) -> int:
    async with service.control(_TIMEOUT_S) as control:
        return await control.snapshot()


async def _verdicts(service: Session, limit: int | None) -> "list[Verdict]":
    async with service.control(_TIMEOUT_S) as control:
        return await control.log(limit)


async def _lagging(service: Session) -> tuple[list[list[str]], int]:
    from penstock.cli.control.lagging import lagging
    from penstock.transport.control.statuses import GONE

    async with service.control(_TIMEOUT_S) as control:
        state, statuses = await control.state(), await control.status()
    live = [each for each in statuses if each.state not in (GONE, "stopped")]
    return list(lagging(state, live)), len(live)


def _print_between(verdicts: "list[Verdict]", since: int, until: int | None, *, json: bool) -> None:
    from penstock.cli.control.past import differences, wanted_at

    last = max((each.offset for each in verdicts), default=-1)
    before, after = wanted_at(verdicts, since), wanted_at(verdicts, last if until is None else until)
    if json:
        changed = [about for about in sorted({*before, *after}, key=str) if before.get(about) != after.get(about)]
        print_json(
            [{"resource": str(a), "before": _plain(before.get(a)), "after": _plain(after.get(a))} for a in changed]
        )
        return
    found = list(differences(before, after))
    _print(found or [["Nothing differs."]])


def _plain(spec: "Spec | None") -> dict[str, Any] | None:
    return None if spec is None else spec.model_dump(mode="json")


def _print(blocks: list[list[str]]) -> None:
    for line in (line for block in blocks for line in block):
        print(printable(line))
