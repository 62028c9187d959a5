"""`penstock deploy`, `promote`, `rollback` and `undeploy`: which versions of a model serve."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.control.options import Giving, ordering
from penstock.schemas.control.resources import Kind, Resource

if TYPE_CHECKING:
    from penstock.producer.control.control import Control
    from penstock.producer.control.results import Change

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Its name.")]


@ordering
def deploy(
    *,
    version: Annotated[
        str, typer.Argument(metavar="MODEL@VERSION", help="What is to serve: a version, latest, or an alias.")
    ],
    canary: Annotated[
        float | None,
        typer.Option(metavar="PERCENT", min=0, max=100, help="Give it only this part; the others share the rest."),
    ] = None,
    shadow: Annotated[
        list[str] | None,
        typer.Option(metavar="VERSION", help="Send copies of all requests to a version too; repeatable."),
    ] = None,
    no_shadow: Annotated[bool, typer.Option("--no-shadow", help="End what is shadowed.")] = False,
    salt: Annotated[str | None, typer.Option(metavar="TEXT", help="Deal the keys to the versions anew.")] = None,
    max_rows: Annotated[int | None, typer.Option(min=1, max=65_536, help="The most rows in one batch.")] = None,
    max_delay: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, max=10, help="Wait for more rows while the model is idle.")
    ] = None,
    allow_signature_change: Annotated[
        bool, typer.Option("--allow-signature-change", help="Even if it takes or gives something else.")
    ] = False,
) -> Giving:
    """Let a version of a model serve, while traffic flows.

    Every worker loads the version, tries it, and switches between two batches; what served before serves until
    then, and goes on where the new one cannot be loaded. With --canary only a part of the keys moves.

    What is not said stays as it is: shadows, salt and batching of the deployment before.

    \b
    Examples:
      penstock deploy iris@4
      penstock deploy iris@latest --canary 10 --reason "new features"
      penstock deploy iris@4 --shadow 5 --dry-run
    """
    model, name = _model_and_version(version)
    if shadow and no_shadow:
        raise typer.BadParameter("not together with --shadow", param_hint="--no-shadow")
    shadows = [_version_of(model, each) for each in shadow or ()] if shadow or no_shadow else None
    batching = {"max_rows": max_rows, "max_delay_s": max_delay}

    async def give(control: "Control", **manner: Any) -> "Change":
        return await control.deploy(
            model,
            name,
            canary=canary,
            shadows=shadows,
            salt=salt,
            signature_may_change=allow_signature_change,
            **await _batching(control, model, batching),
            **manner,
        )

    return give


@ordering
def promote(*, model: Model) -> Giving:
    """Give a model's canary all of the traffic.

    The canary is the version that has been in the deployment for the shortest time.

    \b
    Examples:
      penstock promote iris
      penstock promote iris --dry-run
    """
    return lambda control, **manner: control.promote(model, **manner)


@ordering
def rollback(
    *,
    model: Model,
    stable: Annotated[
        bool, typer.Option("--stable", help="To the last deployment in which one version answered alone.")
    ] = False,
) -> Giving:
    """Go back to the versions that answered before.

    That is the last deployment that was accepted with other versions than the present one; how the traffic was
    divided among the same versions does not count. It is a command like any other, so it can be rolled back.

    \b
    Examples:
      penstock rollback iris --reason "worse on tenant acme"
      penstock rollback iris --stable
    """
    return lambda control, **manner: control.rollback(model, stable=stable, **manner)


@ordering
def undeploy(*, model: Model) -> Giving:
    """Leave a model to the workers' settings again.

    What was deployed is taken away; each worker serves what its repository and its settings say, as after a start
    without any command.

    \b
    Examples:
      penstock undeploy iris
    """
    return lambda control, **manner: control.undeploy(model, **manner)


def _model_and_version(text: str) -> tuple[str, str]:
    model, _, version = text.partition("@")
    if not (model and version):
        raise typer.BadParameter(f"{text!r} is not MODEL@VERSION, as iris@4 or iris@latest", param_hint="MODEL@VERSION")
    return model, version


def _version_of(model: str, text: str) -> str:
    """Return the version in `VERSION` or `MODEL@VERSION`."""
    named, separator, version = text.rpartition("@")
    if separator and named != model:
        raise typer.BadParameter(f"{text!r} is of another model than {model}", param_hint="--shadow")
    return version


async def _batching(control: "Control", model: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that change what is given of the batching, and keep the rest of it."""
    from penstock.schemas.control.specs import Batching, Deployment

    said = {name: value for name, value in given.items() if value is not None}
    if not said:
        return {}
    entry = (await control.state()).entries.get(Resource(Kind.DEPLOYMENT, model))
    now = entry.spec.batching if entry is not None and isinstance(entry.spec, Deployment) else Batching()
    return {"batching": now.model_copy(update=said), "expect": -1 if entry is None else entry.offset}
