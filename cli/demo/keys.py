"""The key that signs the demo's commands. It lies in the demo's folder, and goes with it."""

from pathlib import Path
from typing import Final

from penstock.cli.control.key_making import add_to_trusted, made

KEY_FILE: Final = "demo.key"
TRUSTED_FILE: Final = "trusted.toml"
_ID: Final = "demo"
_SCOPES: Final = ("deployment/*", "throttle/*")  # no more than the demo commands


def make_key(folder: Path) -> None:
    """Write a new private key, and the file in which workers find its public half."""
    trusted = folder / TRUSTED_FILE
    add_to_trusted(trusted, _ID, made(_ID, _SCOPES, folder / KEY_FILE, trusted))
