"""`penstock model`: look into a model repository, and publish to it."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.figures import counted, size
from penstock.cli.help import HelpfulGroup
from penstock.cli.model.publishing import Repository, alias, publish
from penstock.cli.options import Config, Json
from penstock.cli.terminal import print_json, print_table, progress, say

if TYPE_CHECKING:
    from penstock.cli.model.checks import Verified
    from penstock.cli.model.files import Listed

app = typer.Typer(name="model", cls=HelpfulGroup, help="List, show, verify and publish the models of a repository.")
app.command()(publish)
app.command()(alias)

_SERVED: Final = {(True, True): "by default", (True, False): "by version", (False, False): "no"}


@app.command(name="list")
def list_models(repository: Repository = None, config: Config = None, json: Json = False) -> None:
    """List the models, their versions, and which are served.

    A version that is served by default answers every request that pins no version. One that is served by version
    answers those that pin it. Which are served, a model's config.pbtxt may say; without it the highest is.

    \b
    Examples:
      penstock model list
      penstock model list --repository models --json
    """
    from penstock.cli.model.files import repository_settings, survey, versions_of
    from penstock.core.repository import open_repository
    from penstock.schemas.errors import ModelError

    settings = repository_settings(config, repository).models
    opened = open_repository(settings)
    found, faults = [], []
    for name, served in survey(opened).items():
        try:
            if isinstance(served, ModelError):
                raise served
            found += versions_of(opened, name, served)
        except ModelError as error:
            faults.append(str(error))
    if json:
        print_json([_document(each, settings.default) for each in found])
    else:
        print_table(
            ("model", "version", "served", "kind", "size", "verified", "aliases"),
            [_row(each) for each in found],
            right=("version", "size"),
        )
        if settings.default:
            say(f"Requests that name no model go to {settings.default}.")
    for fault in faults:
        say(f"penstock: {fault}")
    if faults:
        raise typer.Exit(2)


def _row(each: "Listed") -> tuple[str, ...]:
    served = _SERVED[each.served, each.highest]
    verified = "no" if each.found.manifest is None else "yes"
    return each.model, each.version, served, each.found.kind, size(each.found.size), verified, ", ".join(each.aliases)


def _document(each: "Listed", default: str | None) -> dict[str, Any]:
    return {
        "model": each.model,
        "version": each.version,
        "served": each.served,
        "serves_by_default": each.highest,
        "default_model": each.model == default,
        "kind": each.found.kind,
        "path": each.found.place,
        "bytes": each.found.size,
        "verified": each.found.manifest is not None,
        "aliases": list(each.aliases),
    }


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its name.")],
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="A version on disk; by default the one served.")
    ] = None,
    repository: Repository = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what a model takes and gives, with an example.

    The example works as it is printed, with a worker running that serves the model. For penstock predict it stands
    on a command line; for clients in other languages as the value of the record.

    \b
    Examples:
      penstock model show iris
      penstock model show iris 2 --json
    """
    from penstock.cli.model.files import repository_settings
    from penstock.cli.model.view import document_of, print_view, view_of
    from penstock.core.repository import open_repository

    settings = repository_settings(config, repository)
    name, _, pinned = model.partition("@")
    with redirect_stdout(sys.stderr):  # a model may print what it likes
        view = view_of(open_repository(settings.models), name, version or pinned or None)
    if json:
        print_json(document_of(view))
    else:
        print_view(view, settings.batching.max_rows)


@app.command()
def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Names, or name@version; by default all that are served."),
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows to run one model on; by default made-up ones.")
    ] = None,
    skip_column: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column of the rows to leave out; repeatable.")
    ] = None,
    repository: Repository = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Load and run models, and tell whether they are fit to be served.

    Each version that is served is loaded, warmed up and run at several batch sizes. A row must get the same answer
    alone and among others, and the same each time; answers must be finite. The times are those of this machine.

    \b
    Examples:
      penstock model verify
      penstock model verify iris --rows flowers.csv --skip-column species
    """
    from penstock.cli.model.files import repository_settings
    from penstock.cli.model.verify import steps_of, verify_version, wanted_versions
    from penstock.core.repository import open_repository

    if rows is not None and len(models or ()) != 1:
        raise typer.BadParameter("name the one model that the rows are for", param_hint="--rows")
    settings = repository_settings(config, repository)
    opened = open_repository(settings.models)
    most = settings.batching.max_rows
    wanted, results = wanted_versions(opened, models or [])
    with progress("verifying", total=len(wanted) * steps_of(most)) as advance, redirect_stdout(sys.stderr):
        for name, version in wanted:
            results.append(verify_version(opened, name, version, rows, tuple(skip_column or ()), most, advance))
    _print_verified(results, json)
    if any(result.faults for result in results):
        raise typer.Exit(1)


def _print_verified(results: "list[Verified]", json: bool) -> None:
    from penstock.cli.model.rows import MOST

    many = f"{MOST} rows ms"
    if json:
        fields = ("model", "load_s", "ms", "faults", "unchecked")
        print_json([{name: _json_ready(getattr(each, name)) for name in fields} for each in results])
    else:
        print_table(
            ("model", "load s", "1 row ms", many, "result"),
            [
                (each.model, _time(each.load_s), _time(each.ms.get(1)), _time(each.ms.get(MOST)), _result(each))
                for each in results
            ],
            right=("load s", "1 row ms", many),
        )
    for each in results:
        for text in (*each.faults, *([each.unchecked] if each.unchecked else [])):
            say(text if text.startswith(each.model) else f"{each.model}: {text}")


def _json_ready(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(rows): round(ms, 3) for rows, ms in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def _time(number: float | None) -> str:
    return "" if number is None else f"{number:.3f}"


def _result(each: "Verified") -> str:
    if each.faults:
        return counted(len(each.faults), "fault")
    return "not run" if each.unchecked else "ok"
