"""`penstock init`: a small service of one's own, ready to run."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project; made if it is not there.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the service and its consumer group; by default the folder's.")
    ] = None,
) -> None:
    """Write a small project: model, worker, client.

    It holds settings, a program that trains a model and exports it to ONNX, a client, and the same service in
    containers. It runs as it is; put your own model in, and it is a service of your own. Nothing is overwritten.

    \b
    Examples:
      penstock init my-service
      penstock init . --name churn
    """
    from penstock.cli.project.rendering import is_project_name, project_name, rendered
    from penstock.cli.project.writing import in_the_way, write

    if name is not None and not is_project_name(name):
        raise typer.BadParameter(
            f"{name!r} is not 1 to 63 of a-z, 0-9, '-' and '_', with a letter or digit first", param_hint="--name"
        )
    if folder.is_file():
        raise typer.BadParameter(f"{folder} is a file; name a folder, new or empty", param_hint="DIR")
    texts = rendered(name or project_name(folder.resolve().name))
    if blocked := in_the_way(folder, texts):
        raise typer.BadParameter(
            f"{folder} already holds {', '.join(blocked)}, and nothing is overwritten.\n"
            "Name another folder, or move what is in the way",
            param_hint="DIR",
        )
    print(_said(folder, write(folder, texts)))


def _said(folder: Path, written: Sequence[str]) -> str:
    """Return what a person is told: what there is now, and the commands from here to a prediction."""
    from penstock.cli.environment import penstock_command, python_command
    from penstock.cli.project.rendering import PURPOSES

    penstock, python = penstock_command(None), python_command()
    here = folder.resolve() == Path.cwd()
    place = "This folder" if here else str(folder)
    width = max(map(len, PURPOSES)) + 2
    lines = [f"{place} has now:" if written else f"{place} has the whole project already."]
    lines += [f"  {filename:<{width}}{PURPOSES[filename]}" for filename in written]
    lines += ["", "Next:"]
    lines += [] if here else [f"  cd {shlex.quote(str(folder))}"]
    lines += [
        f"  {python} train.py",
        f"  {penstock} broker start --port 9092 --data-dir kafka-data   # 2nd terminal",
        f"  {penstock} topics create",
        f"  {penstock} worker                   # in a third terminal, in the same folder",
        f"  {penstock} predict iris rows.csv",
        f"  {python} client.py",
    ]
    return "\n".join(lines)
