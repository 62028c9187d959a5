"""What the reader can do next: commands that work as they are printed."""

import shlex
import shutil
import sys
from pathlib import Path

import penstock.cli

_QUICKSTART = Path(penstock.cli.__file__).parents[1] / "docs" / "quickstart.md"  # there in a checkout alone


def command_name(installed: Path, found: str | None, folder: Path | None) -> str:
    """Return how a shell finds `penstock`.

    Args:
        installed: the command of the environment that runs now.
        found: what the name `penstock` leads to; None where it leads to nothing.
        folder: that the shell is in; None where it may be in any.
    """
    if found is not None and Path(found).absolute() == installed:
        return "penstock"
    near = folder is not None and installed.is_relative_to(folder)
    return shlex.quote(str(installed.relative_to(folder) if folder is not None and near else installed))


def penstock_command(folder: Path | None) -> str:
    """Return how this environment's `penstock` is called by a shell in a folder, or in any."""
    installed = Path(sys.executable).absolute().with_name("penstock")
    if not installed.exists():
        return f"{shlex.quote(sys.executable)} -m penstock.cli.main"
    return command_name(installed, shutil.which("penstock"), folder)


def next_steps(penstock: str, quickstart: Path | None) -> list[str]:
    """Return what to try after the demo, a line each.

    Args:
        penstock: how the command is called.
        quickstart: the page with the first steps, if it is at hand.
    """
    steps = [
        (f"{penstock} demo --keep", "the same, left running"),
        (f"{penstock} init my-service", "a service of your own"),
        (f"{penstock} broker start --port 9092", "the Kafka it looks for"),
    ]
    if quickstart is not None:
        steps.append((str(quickstart), "the first steps"))
    width = max(len(command) for command, _ in steps)
    return ["Next", *(f"  {command:<{width}}  {what}" for command, what in steps)]


def quickstart_page(folder: Path) -> Path | None:
    """Return the page with the first steps, as seen from a folder; None where it is not installed."""
    if not _QUICKSTART.is_file():
        return None
    return _QUICKSTART.relative_to(folder) if _QUICKSTART.is_relative_to(folder) else _QUICKSTART
