"""`penstock keys`: who may sign commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.control.options import Giving, ordering
from penstock.cli.control.session import session
from penstock.cli.help import HelpfulGroup
from penstock.cli.options import BootstrapServers, Config, Json, Overrides
from penstock.cli.stopping import run
from penstock.cli.terminal import print_json, print_table

if TYPE_CHECKING:
    from penstock.cli.control.session import Session
    from penstock.schemas.control.state import ControlState

app = typer.Typer(name="keys", cls=HelpfulGroup, help="Make, list, trust and revoke the keys that sign commands.")

_TIMEOUT_S: Final = 30.0
_EVERYTHING: Final = "*"

KeyId = Annotated[str, typer.Argument(metavar="ID", help="Its name, never used again; as anna, or ci-2026.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", metavar="PATTERN", help="What it may change, as throttle/*; repeatable. All by default."),
]


@app.command()
def create(
    *,
    key_id: KeyId,
    scope: Scopes = None,
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the private key goes; by default ID.key.", dir_okay=False)
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File of trusted keys to add it to.", dir_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Make a key, and say what makes workers trust it.

    The private half goes into a file that only you can read; control.key names it to the commands that sign. The
    public half belongs into the file that the workers' control.trusted_keys names, which --trust writes, or into the
    log, by the command `keys trust`.

    \b
    Examples:
      penstock keys create anna --trust trusted.toml
      penstock keys create night-shift --scope "throttle/*" --scope "lane/*"
    """
    from penstock.cli.control.key_making import add_to_trusted, made, table_of

    path = file or Path(f"{key_id}.key")
    key = made(key_id, scope or [_EVERYTHING], path, trust)
    if trust is not None:
        add_to_trusted(trust, key_id, key)
    if json:
        print_json({"id": key_id, "file": str(path), "public": key.public, "scopes": list(key.scopes)})
        return
    print(f"The private key is in {path}. Show it to nobody; name it to `penstock` as control.key.")
    if trust is None:
        print(f"For the file that the workers' control.trusted_keys names:\n\n{table_of(key_id, key).rstrip()}")
    else:
        print(f"{trust} trusts it now. Workers read that file when they start.")


@app.command("list")
def list_keys(
    *,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    json: Json = False,
) -> None:
    """List who may sign, and who may no more.

    \b
    Examples:
      penstock keys list
    """
    service = session(config, bootstrap_servers, settings)
    rows = _rows(service, run(_state(service)))
    columns = ("id", "may change", "trusted by", "public")
    if json:
        print_json([dict(zip(("id", "scopes", "trusted_by", "public"), row, strict=True)) for row in rows])
    else:
        print_table(columns, [(name, ", ".join(scopes) or "nothing", by, public) for name, scopes, by, public in rows])


@app.command()
@ordering
def trust(
    *,
    key_id: KeyId,
    public: Annotated[str, typer.Argument(metavar="PUBLIC", help="Its public half, 64 hexadecimal digits.")],
    scope: Scopes = None,
) -> Giving:
    """Let a key sign commands from now on, without a restart.

    A key can give away only what it has itself.

    \b
    Examples:
      penstock keys trust ben "$PUBLIC" --scope "lane/*"
    """
    return lambda control, **manner: control.trust(key_id, public, scope or [_EVERYTHING], **manner)


@app.command()
@ordering
def revoke(*, key_id: KeyId) -> Giving:
    """Take no command of a key any more; its id never comes back.

    What it signed before stays as it is. Also for a key of the workers' file of trusted keys.

    \b
    Examples:
      penstock keys revoke ben --reason "left the company"
    """
    return lambda control, **manner: control.revoke(key_id, **manner)


async def _state(service: "Session") -> "ControlState":
    async with service.control(_TIMEOUT_S) as control:
        return await control.state()


def _rows(service: "Session", state: "ControlState") -> list[tuple[str, tuple[str, ...], str, str]]:
    """Return each key: id, scopes, who trusts it, and its public half."""
    from penstock.schemas.control.resources import Kind
    from penstock.schemas.control.specs import Key
    from penstock.transport.control.keys import read_trusted_keys

    file = service.settings.control.trusted_keys
    roots = read_trusted_keys(file) if file is not None else {}
    told = {about.name: entry for about, entry in state.entries.items() if about.kind is Kind.KEY}
    rows = [(name, key.scopes, str(file), key.public) for name, key in roots.items() if name not in told]
    for name, entry in told.items():
        if isinstance(entry.spec, Key):
            rows.append((name, entry.spec.scopes, f"offset {entry.offset}, {entry.issuer}", entry.spec.public))
        else:
            rows.append((name, (), f"revoked at offset {entry.offset} by {entry.issuer}", ""))
    return sorted(rows)
