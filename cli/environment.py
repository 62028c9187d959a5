"""How a shell calls the programs of the environment that runs now."""

import shlex
import shutil
import sys
from pathlib import Path


def command_name(installed: Path, found: str | None, folder: Path | None) -> str:
    """Return how a shell calls a program: by its name, if that leads to it, else by its path.

    Args:
        installed: the program of the environment that runs now.
        found: what its name leads to; None where that leads to nothing.
        folder: that the shell is in; None where it may be in any.
    """
    if found is not None and Path(found).absolute() == installed:
        return installed.name
    near = folder is not None and installed.is_relative_to(folder)
    return shlex.quote(str(installed.relative_to(folder) if folder is not None and near else installed))


def penstock_command(folder: Path | None) -> str:
    """Return how this environment's `penstock` is called by a shell in a folder, or in any."""
    installed = Path(sys.executable).absolute().with_name("penstock")
    if not installed.exists():
        return f"{shlex.quote(sys.executable)} -m penstock.cli.entry"
    return command_name(installed, shutil.which("penstock"), folder)


def python_command() -> str:
    """Return how this environment's Python is called by a shell in any folder."""
    return command_name(Path(sys.executable).absolute(), shutil.which("python"), None)
