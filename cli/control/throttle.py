"""`penstock throttle`: how many rows a second a scope may have."""

from typing import Annotated, Final, Literal

import typer

from penstock.cli.control.options import Giving, ordering

_MOST: Final = 1e9


@ordering
def throttle(
    *,
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help="global, model:NAME, tenant:NAME or lane:TOPIC.")],
    rows_per_s: Annotated[
        float | None, typer.Argument(metavar="ROWS_PER_S", min=0, max=_MOST, help="Rows a second; 0 stops it.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the limit away.")] = False,
    burst: Annotated[
        float | None,
        typer.Option(min=0, max=_MOST, help="Rows at once after a rest; by default a second's worth."),
    ] = None,
    on_excess: Annotated[
        Literal["delay", "reject"], typer.Option(help="What is over waits, or is answered THROTTLED.")
    ] = "delay",
) -> Giving:
    """Limit the rows a second of a model, tenant, topic or all.

    The rate is that of all workers together; they share it by what comes to each. A request under several limits
    passes all of them.

    \b
    Examples:
      penstock throttle tenant:acme 200 --on-excess reject
      penstock throttle global 5000 --burst 10000
      penstock throttle tenant:acme --remove
    """
    if remove == (rows_per_s is not None):
        raise typer.BadParameter("say how many rows a second, or --remove", param_hint="ROWS_PER_S")

    if rows_per_s is None:
        return lambda control, **manner: control.unthrottle(scope, **manner)
    return lambda control, **manner: control.throttle(scope, rows_per_s, burst, on_excess, **manner)
