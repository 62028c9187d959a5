"""Names in a command that no worker knows: mostly a slip of the pen, sometimes a model that is yet to come. Pure."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from penstock.schemas.control.resources import Kind, parse_scope

if TYPE_CHECKING:
    from penstock.producer.control.results import Change
    from penstock.schemas.control.status import WorkerStatus


def unknown(change: "Change", statuses: Collection["WorkerStatus"], request_topics: Collection[str]) -> Iterator[str]:
    """Yield a warning where a change is about a model that no worker has, or a topic that is none of the service's.

    Args:
        change: the command.
        statuses: what the workers say; where there are none, nothing is known of models.
        request_topics: those of the settings.
    """
    kind, name = change.resource
    if change.after is None:
        return
    if kind is Kind.THROTTLE:
        kind_of_scope, name = parse_scope(name)
        kind = {"model": Kind.DEPLOYMENT, "lane": Kind.LANE}.get(kind_of_scope, kind)
    models = {each.model for status in statuses for each in status.versions}
    if kind is Kind.DEPLOYMENT and models and name not in models:
        known = ", ".join(sorted(models)[:8])
        yield f"No worker has a model {name} so far; they have {known}. Is its name right?"
    if kind is Kind.LANE and name not in request_topics:
        known = ", ".join(request_topics)
        yield f"{name} is no request topic of these settings, which have {known}. Is its name right?"
