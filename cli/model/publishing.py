"""`penstock model publish` and `penstock model alias`: what changes a model repository."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.figures import counted, size
from penstock.cli.options import Config, Json
from penstock.cli.terminal import print_json, print_table, say

Repository = Annotated[
    str | None,
    typer.Option(help="Models: a folder with <model>/<version>/model.onnx, or a URL; by default the settings'."),
]
To = Annotated[
    str | None, typer.Option("--to", metavar="REPOSITORY", help="Folder or URL; by default the settings' repository.")
]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="Its name.")]


def publish(
    model: Name,
    source: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="model.onnx, model.py, or a folder that holds one, or MLflow's MLmodel."),
    ],
    version: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Its number; by default the next one.")
    ] = None,
    lineage: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Where it comes from: git=4be1c2d, auc=0.97; repeatable."),
    ] = None,
    alias: Annotated[str | None, typer.Option(metavar="NAME", help="Alias that means it from now on.")] = None,
    to: To = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Publish a version of a model: whole or not at all, and never changed again.

    The files are copied aside, loaded and warmed up. Only then the version appears, with a manifest that holds what
    it takes and gives and the digest of each file. Pickles are refused: they run code when they are read.

    \b
    Examples:
      penstock model publish iris model.onnx
      penstock model publish iris trained --lineage git=4be1c2d --alias champion
      penstock model publish iris model.onnx --to s3://bucket/models
    """
    from penstock.cli.model.files import repository_settings
    from penstock.core.repository import open_repository
    from penstock.core.store.aliases import check_alias
    from penstock.core.store.publishing import open_writer, set_alias
    from penstock.core.store.publishing import publish as publish_version

    told = _pairs(lineage or [])
    if alias is not None:
        check_alias(alias)
    settings = repository_settings(config, to).models
    writer = open_writer(settings.repository)
    number = None if version is None else str(version)
    with redirect_stdout(sys.stderr):  # a model may print what it likes
        done = publish_version(writer, model, source, version=number, lineage=told)
    manifest = done.manifest
    if alias is not None:
        set_alias(writer, open_repository(settings), model, alias, manifest.version)
    if json:
        document = {"model": model, "version": manifest.version, "path": done.place, "bytes": manifest.size}
        print_json({**document, "sha256": done.digest, "alias": alias})
        return
    files = f"{manifest.runtime.name}, {counted(len(manifest.files), 'file')}, {size(manifest.size)}"
    print(f"published {model}@{manifest.version}{f', also called {alias}' if alias else ''}: {files}")
    print(f"  {done.place}\n  sha256 {done.digest}")


def alias(
    model: Name,
    alias: Annotated[str | None, typer.Argument(metavar="ALIAS", help="Such as champion; nothing lists all.")] = None,
    version: Annotated[int | None, typer.Argument(metavar="VERSION", min=1, help="What it is to mean.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let it mean nothing.")] = False,
    repository: Repository = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show or change the aliases of a model: other names of its versions.

    A deployment may name an alias. It is looked up when the deployment is read: one that is in force stays with the
    version that was meant then.

    \b
    Examples:
      penstock model alias iris
      penstock model alias iris champion 3
      penstock model alias iris champion --remove
    """
    from penstock.cli.model.files import repository_settings
    from penstock.core.repository import open_repository
    from penstock.core.store.publishing import open_writer, set_alias

    if (alias is not None) != ((version is not None) or remove) or (version is not None and remove):
        raise typer.BadParameter(
            "give an alias with a version, or an alias with --remove, or nothing", param_hint="ALIAS"
        )
    settings = repository_settings(config, repository).models
    opened = open_repository(settings)
    if alias is not None:
        meant = None if version is None else str(version)
        set_alias(open_writer(settings.repository), opened, model, alias, meant)
    opened.versions(model)  # says so where there is no such model
    aliases = opened.aliases(model)
    if json:
        print_json(aliases)
    elif aliases:
        print_table(("alias", "version"), sorted(aliases.items()), right=("version",))
    else:
        say(f"{model} has no aliases.")


def _pairs(given: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in given:
        key, separator, value = each.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"{each!r} is not KEY=VALUE", param_hint="--lineage")
        pairs[key] = value
    return pairs
