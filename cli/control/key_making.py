"""Makes the two halves of a key, and puts each where it belongs."""

from collections.abc import Sequence
from pathlib import Path

import typer

from penstock.schemas.control.command import read_spec
from penstock.schemas.control.refusals import CommandRefused
from penstock.schemas.control.resources import Kind, Resource, parse_resource
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Key
from penstock.schemas.errors import ConfigurationError
from penstock.transport.control.keys import read_trusted_keys, trusted_key_table, write_private_key

table_of = trusted_key_table


def made(key_id: str, scopes: Sequence[str], path: Path, trusted: Path | None) -> Key:
    """Write a new private key to a file and return its public half.

    Args:
        key_id: its name.
        scopes: what it may change.
        path: of the new file.
        trusted: the file that the public half will be added to; read before anything is written.

    Raises:
        typer.BadParameter: the name or the scopes can be none.
        ConfigurationError: a file is in the way, cannot be read or written, or trusts a key of this name already.
        PenstockError: `cryptography` is not installed.
    """
    try:
        about = parse_resource(f"{Kind.KEY}/{key_id}")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="ID") from None
    signer = Signer.generate(key_id)
    key = _key(about, signer.public_hex, scopes)
    if trusted is not None and trusted.exists() and key_id in read_trusted_keys(trusted):
        raise ConfigurationError(f"{trusted} trusts a key {key_id} already.\nChoose another id: each is used once.")
    write_private_key(path, signer)
    return key


def add_to_trusted(path: Path, key_id: str, key: Key) -> None:
    """Add a public key to a file of trusted keys, which is made if it is not there.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(gap + trusted_key_table(key_id, key))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _key(about: Resource, public: str, scopes: Sequence[str]) -> Key:
    try:
        found = read_spec(about, {"public": public, "scopes": list(scopes)})
    except CommandRefused as refused:
        raise typer.BadParameter(refused.message, param_hint="--scope") from None
    assert isinstance(found, Key)
    return found
