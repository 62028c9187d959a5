"""Files of keys: the public ones that a service trusts from the beginning, and the private one that signs commands.

Trusted keys are a TOML table for each key, `["ID"]` or `[ID]`, with what the spec of `key/ID` has:

    [anna]
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    scopes = ["*"]
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from penstock.schemas.control.command import read_spec
from penstock.schemas.control.refusals import CommandRefused
from penstock.schemas.control.resources import Kind, Resource, parse_resource
from penstock.schemas.control.signing import PRIVATE_BYTES, Signer
from penstock.schemas.control.specs import Key
from penstock.schemas.errors import ConfigurationError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_OWNER_ONLY: Final = 0o600
_NO_PRIVATE_KEY: Final = "`penstock keys create` makes one."


def read_trusted_keys(path: Path) -> dict[str, Key]:
    """Read the public keys that are trusted from the first command on, by their id.

    Raises:
        ConfigurationError: the file cannot be read, or holds something else; every fault, a line each.
    """
    document = _read_toml(path, "trusted keys")
    keys: dict[str, Key] = {}
    faults: list[str] = []
    for key_id, table in document.items():
        try:
            about = key_resource(key_id)
            if not isinstance(table, dict):
                raise ConfigurationError(f"is no table: [{key_id}] with public and scopes is one")
            found = read_spec(about, table)
            assert isinstance(found, Key)
            keys[key_id] = found
        except CommandRefused as refused:
            faults.append(f"{path}: [{key_id}] {refused.message}")
        except ConfigurationError as error:
            faults.append(f"{path}: {key_id[:64]!r} {error}")
    if not document:
        faults.append(f"{path}: it names no key, so that nobody could command anything.")
    if faults:
        raise ConfigurationError("\n".join(faults))
    return keys


def trusted_key_table(key_id: str, key: Key) -> str:
    """Return what stands in a file of trusted keys for this one: a table of TOML."""
    scopes = ", ".join(_toml_text(scope) for scope in key.scopes)
    return f"[{_toml_text(key_id)}]\npublic = {_toml_text(key.public)}\nscopes = [{scopes}]\n"


def key_resource(key_id: str) -> Resource:
    """Return the resource of a key. Raises: ConfigurationError (this can be no id)."""
    try:
        return parse_resource(f"{Kind.KEY.value}/{key_id}")
    except ValueError:
        raise ConfigurationError(
            "can be no id of a key: letters, digits, '_', '-' and '.', 128 at most, neither '-' nor '.' first"
        ) from None


def write_private_key(path: Path, signer: Signer) -> None:
    """Write a private key to a new file that only its owner may read.

    Raises:
        ConfigurationError: the file is there already, or cannot be written.
    """
    text = (
        f"# A private key of Penstock: whoever has it commands what its public half may. Show it to nobody.\n"
        f"id = {_toml_text(signer.key_id)}\n"
        f"public = {_toml_text(signer.public_hex)}\n"
        f"private = {_toml_text(signer.private_bytes.hex())}\n"
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        raise ConfigurationError(
            f"{path} is there already, and a key that is written over is lost.\nChoose another name, or delete it."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), _OWNER_ONLY)  # whatever the umask, or a default ACL of the folder, says
        file.write(text)


def read_private_key(path: Path) -> Signer:
    """Read a private key that nobody else may read. That its group may is warned of: secrets are mounted like that.

    Raises:
        ConfigurationError: others may read it, or it holds no key.
        PenstockError: `cryptography` is not installed.
    """
    document = _read_toml(path, "private key", _NO_PRIVATE_KEY)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o007 or mode & 0o020:
        raise ConfigurationError(
            f"{path} is a private key, and others may {'read' if mode & 0o004 else 'change'} it (mode {mode:04o}).\n"
            f"Shut it: chmod 600 {path}. If somebody may have read it, revoke the key and make a new one."
        )
    if mode & 0o050:
        log.warning("a private key that its group may read", file=str(path), mode=f"{mode:04o}")
    key_id, private = document.get("id"), document.get("private")
    try:
        if not isinstance(key_id, str) or not isinstance(private, str) or len(private) != 2 * PRIVATE_BYTES:
            raise ValueError
        signer = Signer(key_resource(key_id).name, bytes.fromhex(private))
    except (ValueError, ConfigurationError):
        raise ConfigurationError(
            f"{path} holds no private key: id, and private with {2 * PRIVATE_BYTES} hexadecimal digits, are needed.\n"
            f"{_NO_PRIVATE_KEY}"
        ) from None
    if document.get("public", signer.public_hex) != signer.public_hex:
        raise ConfigurationError(f"{path}: public is not the public half of private; the file was damaged or changed.")
    return signer


def _read_toml(path: Path, what: str, remedy: str = "") -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file of a {what}. {remedy}".rstrip()) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: the {what} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The text is not quoted: it may be a secret.
        where = f" ({str(error).rpartition('(')[2]}" if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise ConfigurationError(f"{path}: not valid TOML{where}, so it is no {what} file.") from None


def _toml_text(text: str) -> str:
    # JSON's strings are TOML's, but for a slash that nobody escapes here.
    return orjson.dumps(text).decode()
