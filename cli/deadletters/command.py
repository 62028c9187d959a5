"""`penstock deadletters`: what could not be answered, and sending it again."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.failures import FAILED, STOPPED
from penstock.cli.figures import counted
from penstock.cli.help import HelpfulGroup
from penstock.cli.options import BootstrapServers, Config, Json, Overrides, tool_settings
from penstock.cli.stopping import run
from penstock.cli.terminal import print_json, progress, say

if TYPE_CHECKING:
    from penstock.cli.deadletters.finding import Listed
    from penstock.cli.deadletters.selection import Selection
    from penstock.consumer.settings import ToolSettings
    from penstock.transport.dead_letters.redrive import RedriveOutcome

app = typer.Typer(name="deadletters", cls=HelpfulGroup, help="See what could not be answered, and send it again.")

_LAST: Final = 50
_BYTES: Final = 4096
_RATE: Final = 100.0
_MANY: Final = 100

Reason = Annotated[str | None, typer.Option(metavar="CODE", help="Those of one reason, as REPLY_FORBIDDEN.")]
Model = Annotated[str | None, typer.Option(metavar="MODEL", help="Those of a model, as iris or iris@4.")]
Digest = Annotated[str | None, typer.Option(metavar="DIGEST", help="Those of one fault, as list shows it.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Written since then: 2h (ago), or 2026-11-23T04:35.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Written before then.")]


@app.command("list")
def list_letters(
    *,
    each: Annotated[bool, typer.Option("--each", help="One by one, not by fault.")] = False,
    reason: Reason = None,
    model: Model = None,
    digest: Digest = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The last so many.")] = _LAST,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """List what could not be answered, by what is wrong.

    Equal faults have one digest: it is made of the errors' types and of the functions that they passed. All dead
    letters of the service's topics are read for it.

    \b
    Examples:
      penstock deadletters list
      penstock deadletters list --each --reason REPLY_FORBIDDEN --since 2h
      penstock deadletters list --json
    """
    from penstock.cli.deadletters import listing

    meant = _selection(reason, model, digest, since, until)
    found = _found(tool_settings(config, bootstrap_servers, settings), meant)
    if each:
        last = found[-limit:]
        if json:
            print_json({"dead_letters": [listing.letter_document(one) for one in last]})
        elif last:
            listing.print_letters(last)
    else:
        groups = listing.grouped(found)[:limit]
        if json:
            print_json({"groups": [listing.group_document(group) for group in groups]})
        else:
            listing.print_groups(groups)
    if not found and not json:
        print("No dead letters.")


@app.command()
def show(
    place: Annotated[str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Where the dead letter lies.")],
    *,
    shown: Annotated[int, typer.Option("--bytes", metavar="N", min=0, help="Bytes of the value to show.")] = _BYTES,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Show one dead letter: why, from where, its headers and its value.

    The value is a request's: it may hold what is nobody's business. Exit status 1 where there is no dead letter.

    \b
    Examples:
      penstock deadletters show requests-dlt/0/17
      penstock deadletters show requests-dlt/0/17 --bytes 100000 --json
    """
    from penstock.cli.deadletters import showing
    from penstock.cli.deadletters.finding import find_one
    from penstock.schemas.dead_letters.letter import Coordinates

    try:
        at = Coordinates.parse(place)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="TOPIC/PARTITION/OFFSET") from None
    letter = run(find_one(tool_settings(config, bootstrap_servers, settings), at))
    if letter is None:
        say(f"penstock: there is no dead letter of Penstock's at {at}.\nSee: penstock deadletters list --each")
        raise typer.Exit(FAILED)
    if json:
        print_json(showing.document(letter, shown))
    else:
        showing.print_letter(letter, shown)


@app.command()
def redrive(
    *,
    reason: Reason = None,
    model: Model = None,
    digest: Digest = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="The oldest so many.")] = None,
    rate: Annotated[float, typer.Option(metavar="RATE", min=0.1, max=1e6, help="Requests a second.")] = _RATE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help=f"Do not ask, though there are more than {_MANY}.")] = False,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """Send requests again that became dead letters, each once.

    Each goes back to the topic and partition that it came from, with its key and its headers. Mend the cause first:
    what fails again becomes a dead letter again. What was POISON is sent only if asked for by its reason or digest.

    What was sent is marked on the dead-letter topic, in the same
    transaction: neither two who do this at once, nor a crash, nor a second call send anything twice.

    Exit status 1 where something could not be sent.

    \b
    Examples:
      penstock deadletters redrive --dry-run
      penstock deadletters redrive --reason REPLY_UNKNOWN --since 2h --rate 20
      penstock deadletters redrive --digest 3f2a9c01d2e4b5a6 --yes
    """
    from penstock.cli.deadletters import listing, redriving

    meant = _selection(reason, model, digest, since, until)
    service = tool_settings(config, bootstrap_servers, settings)
    left = [one for one in _found(service, meant) if not one.redriven]
    pending = [one for one in left if meant.asks_for(one.letter)][:limit]
    if any(not meant.asks_for(one.letter) for one in left):
        say("POISON is not sent, for it has killed workers. To send it all the same, say --reason POISON.")
    if dry_run:
        groups = listing.grouped(pending)
        if json:
            print_json({"would_send": len(pending), "groups": [listing.group_document(group) for group in groups]})
            return
        listing.print_groups(groups)
        print(f"{counted(len(pending), 'dead letter')} would be sent again, at {rate:g} a second.")
        return
    if len(pending) > _MANY and not yes and not _agreed(len(pending), rate):
        print("Nothing is sent.")
        return
    outcome = _carried_out(service, pending, rate)
    if json:
        print_json(redriving.document(outcome))
    else:
        redriving.print_redriven(outcome)
    if outcome.left:
        raise typer.Exit(FAILED)


def _selection(
    reason: str | None, model: str | None, digest: str | None, since: str | None, until: str | None
) -> "Selection":
    from penstock.cli.deadletters.selection import Selection, parse_time

    now_ms = time.time_ns() // 1_000_000

    def at(text: str | None, option: str) -> int | None:
        try:
            return None if text is None else parse_time(text, now_ms)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None

    return Selection(
        reason=reason, model=model, digest=digest, since_ms=at(since, "--since"), until_ms=at(until, "--until")
    )


def _found(service: "ToolSettings", meant: "Selection") -> "list[Listed]":
    from penstock.cli.deadletters.finding import find

    with progress("dead letters"):
        return run(find(service, meant))


def _agreed(count: int, rate: float) -> bool:
    """Ask whether so many are meant; where nobody can be asked, `--yes` has to be given."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            f"{count:,} dead letters would be sent again: say --yes, or --limit", param_hint="--yes"
        )
    try:
        return typer.confirm(f"Send {count:,} dead letters again, at {rate:g} a second?", err=True)
    except typer.Abort:
        raise typer.Exit(STOPPED) from None


def _carried_out(service: "ToolSettings", pending: "list[Listed]", rate: float) -> "RedriveOutcome":
    from penstock.cli.deadletters.redriving import me
    from penstock.cli.deadletters.redriving import redrive as send_again
    from penstock.transport.dead_letters.redrive import RedriveOutcome

    outcome, complete = RedriveOutcome(), False
    try:
        with progress("sent again", len(pending)) as advance:
            run(send_again(service, pending, outcome, rate=rate, by=me(), on_begun=advance))
        complete = True
    finally:
        if not complete:  # the error says the rest
            say(f"{counted(outcome.sent, 'dead letter')} of {len(pending):,} sent again before that:")
    return outcome
