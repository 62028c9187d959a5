"""What was asked of a model before: as much of it as a worker has to know that begins late.

It has to end where those are who were there all the time. They refused whatever takes other inputs than what served
then, and where the newest deployment cannot be followed, they serve one that came before it. So beside the newest ones
two are kept for comparing: the last one that was followed whatever had served, and the one after it, for where the
first is a removal, and the settings say nothing of the model. What was accepted since then is like these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.schemas.control.specs import Deployment

MOST_PAST: Final = 7
_COMPARED: Final = 2  # they come first, and stay


@dataclass(frozen=True, slots=True)
class Past:
    """A deployment that was accepted for a model, and that another one has followed.

    Attributes:
        offset: of the command in the control topic.
        spec: what was wanted; None where the deployment was removed.
    """

    offset: int
    spec: Deployment | None

    @property
    def free(self) -> bool:
        """Whether it is followed whatever serves."""
        return self.spec is None or self.spec.signature_may_change

    def document(self) -> dict[str, Any]:
        """Return it as JSON, with what the command said."""
        spec = None if self.spec is None else self.spec.model_dump(mode="json", exclude_unset=True)
        return {"offset": self.offset, "spec": spec}


def remembered(past: Sequence[Past], newest: Past) -> tuple[Past, ...]:
    """Return what is remembered of a model's past, `MOST_PAST` deployments at most.

    Args:
        past: what was remembered before, the oldest first.
        newest: what is past now too.
    """
    everything = (*past, newest)
    if len(everything) <= MOST_PAST:
        return everything
    compared = max((number for number, each in enumerate(everything) if each.free), default=-1)
    gone = 0 if compared > 0 else compared + _COMPARED
    return (*everything[:gone], *everything[gone + 1 :])
