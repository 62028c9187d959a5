"""What was wanted of a model before: what to roll back to, and which version is the canary. Pure.

A history is what was accepted for one deployment, in order, the present one last; None where it was removed.
"""

from collections.abc import Iterable, Sequence

from penstock.producer.control.results import CannotChange
from penstock.schemas.control.command import read_spec
from penstock.schemas.control.fold import Verdict
from penstock.schemas.control.resources import Resource
from penstock.schemas.control.specs import Deployment, Spec

History = Sequence[Deployment | None]


def accepted(verdicts: Iterable[Verdict], resource: Resource) -> list[Spec | None]:
    """Return what was accepted for a resource, in order."""
    found: list[Spec | None] = []
    for verdict in verdicts:
        command = verdict.command
        if command is not None and verdict.refused is None and command.resource == str(resource):
            found.append(None if command.spec is None else read_spec(resource, command.spec))
    return found


def previous(model: str, history: History, *, stable: bool = False) -> Deployment:
    """Return the last deployment before the present one in which other versions answered.

    Other weights of the same versions are no other deployment: who rolls back a canary gets rid of it, however many
    steps it was raised by.

    Args:
        model: for the error.
        history: of the model.
        stable: only one in which a single version answered: it takes a version away that was a canary before it was
            promoted.

    Raises:
        CannotChange: there is none.
    """
    present = answering(history[-1] if history else None)
    for back in range(2, len(history) + 1):
        spec = history[-back]
        if spec is not None and answering(spec) != present and not (stable and len(answering(spec)) > 1):
            # Where the way here was allowed to change inputs and outputs, the way back must be.
            since = (each.signature_may_change for each in history[-back + 1 :] if each is not None)
            return spec.model_copy(update={"signature_may_change": spec.signature_may_change or any(since)})
    kind = "with a single version " if stable else ""
    raise CannotChange(f"{model} has no earlier deployment {kind}to go back to: none with other versions was accepted")


def canary(model: str, history: History) -> str:
    """Return the version that `promote` gives everything to: the newest of those that answer now.

    The newest is the one that has been in the deployment for the shortest time without a break; of several that came
    with the same command the one with the smallest weight, and of those the one that stands last.

    Raises:
        CannotChange: there is no deployment, or one version answers alone.
    """
    present = history[-1] if history else None
    if present is None:
        raise CannotChange(f"{model} has no deployment, so there is no canary to promote")
    if len(answering(present)) == 1:
        raise CannotChange(f"{model} is served by {present.versions[0].version} alone: there is no canary to promote")
    ranked = [
        (_age(history, each.version), each.weight, -place, each.version)
        for place, each in enumerate(present.versions)
        if each.weight
    ]
    return min(ranked)[3]


def answering(spec: Deployment | None) -> frozenset[str]:
    """Return the versions that get traffic."""
    return frozenset(each.version for each in spec.versions if each.weight) if spec is not None else frozenset()


def _age(history: History, version: str) -> int:
    """Return how many deployments, the present one and those just before, have had the version."""
    age = 0
    for spec in reversed(history):
        if spec is None or all(each.version != version for each in spec.versions):
            break
        age += 1
    return age
