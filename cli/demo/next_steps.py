"""What the reader can do next: commands that work as they are printed."""

from pathlib import Path

import penstock.cli

_QUICKSTART = Path(penstock.cli.__file__).parents[1] / "docs" / "quickstart.md"  # there in a checkout alone


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
