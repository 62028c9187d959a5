"""`penstock lane`: whether a request topic is read, and how much of the workers it gets."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.control.options import Giving, ordering
from penstock.cli.help import HelpfulGroup
from penstock.schemas.control.resources import Kind, Resource

if TYPE_CHECKING:
    from penstock.producer.control.control import Control
    from penstock.producer.control.results import Change

app = typer.Typer(name="lane", cls=HelpfulGroup, help="Pause, resume, drain and weigh request topics.")

Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="A request topic of the service.")]


@app.command()
@ordering
def pause(*, topic: Topic) -> Giving:
    """Read nothing more of a topic; what comes waits in Kafka.

    \b
    Examples:
      penstock lane pause backfill --reason "the nightly load"
    """
    return lambda control, **manner: control.lane(topic, "paused", **manner)


@app.command()
@ordering
def resume(*, topic: Topic) -> Giving:
    """Read a topic again, from where it was left.

    \b
    Examples:
      penstock lane resume backfill
    """
    return lambda control, **manner: control.lane(topic, "running", **manner)


@app.command()
@ordering
def drain(*, topic: Topic) -> Giving:
    """Serve what is in a topic now, and then pause it.

    \b
    Examples:
      penstock lane drain backfill
    """
    return lambda control, **manner: control.lane(topic, "draining", **manner)


@app.command()
@ordering
def weight(
    *,
    topic: Topic,
    value: Annotated[int, typer.Argument(metavar="N", min=1, max=1000, help="Of a topic without one it is 1.")],
) -> Giving:
    """Say how much of the workers a topic gets where several are full.

    \b
    Examples:
      penstock lane weight requests 8
    """

    async def give(control: "Control", **manner: Any) -> "Change":
        from penstock.schemas.control.specs import Lane

        entry = (await control.state()).entries.get(Resource(Kind.LANE, topic))
        state = entry.spec.state if entry is not None and isinstance(entry.spec, Lane) else "running"
        return await control.lane(topic, state, value, expect=-1 if entry is None else entry.offset, **manner)

    return give
