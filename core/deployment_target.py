"""What a model is to do, with every name of a version resolved to a version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from penstock.core.routing import Split
from penstock.schemas.control.specs import Batching, Deployment, Shadow
from penstock.schemas.errors import PenstockError

_AS_SET: Final = Batching()
SETTINGS: Final = -1  # the offset of what no command asked for


@dataclass(frozen=True, slots=True)
class Target:
    """What a model is to do, with every name of a version resolved.

    Attributes:
        model: its name.
        offset: of the command that asks for it; `SETTINGS` where none does.
        versions: those that answer, with their weights; none withdraws the model.
        salt: of the split.
        shadows: those that get copies, by version.
        batching, not_finite, signature_may_change: as in the `Deployment`.
        aliases: version by the name that the command used for it, where that is another.
        fault: why it cannot be done, known before anything is loaded; empty where nothing is known against it.
    """

    model: str
    offset: int
    versions: tuple[tuple[str, float], ...] = ()
    salt: str = ""
    shadows: tuple[Shadow, ...] = ()
    batching: Batching = _AS_SET
    not_finite: Literal["pass", "refuse"] = "pass"
    signature_may_change: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""

    @property
    def needed(self) -> tuple[str, ...]:
        """The versions that answer."""
        return tuple(version for version, _ in self.versions)

    @property
    def shadowed(self) -> tuple[str, ...]:
        """The versions that get copies; each is loaded once more, though it may answer as well."""
        return tuple(each.version for each in self.shadows)

    @property
    def split(self) -> Split:
        """How its requests are divided, among those with a weight; it must have versions."""
        weighted = [(version, weight) for version, weight in self.versions if weight > 0]
        return Split(tuple(each for each, _ in weighted), tuple(weight for _, weight in weighted), self.salt)


def target_of(model: str, offset: int, deployment: Deployment, resolve: Callable[[str, str], str]) -> Target:
    """Resolve the names in a deployment. Two names of one version add their weights up.

    Args:
        model: whose deployment it is.
        offset: of the command.
        deployment: what is wanted.
        resolve: returns the version that a name of a model means, or raises `PenstockError`.
    """
    weights: dict[str, float] = {}
    shadows: dict[str, Shadow] = {}
    aliases: dict[str, str] = {}
    try:
        for each in deployment.versions:
            version = resolve(model, each.version)
            weights[version] = weights.get(version, 0.0) + each.weight
            if version != each.version:
                aliases[each.version] = version
        for shadow in deployment.shadows:
            version = resolve(model, shadow.version)
            shadows[version] = shadow.model_copy(update={"version": version})
    except PenstockError as error:
        return Target(model, offset, signature_may_change=deployment.signature_may_change, fault=str(error))
    return Target(
        model=model,
        offset=offset,
        versions=tuple(weights.items()),
        salt=deployment.salt,
        shadows=tuple(shadows.values()),
        batching=deployment.batching,
        not_finite=deployment.not_finite,
        signature_may_change=deployment.signature_may_change,
        aliases=aliases,
    )


def target_of_settings(model: str, offset: int, served: tuple[str, ...]) -> Target:
    """Return what a model does without a deployment: the highest version answers, and the others may be asked for.

    Args:
        model: its name.
        offset: of the command that removed the deployment; `SETTINGS` where there was none.
        served: ascending; none where the settings do not have the model.
    """
    weighted = tuple((version, 1.0 if version == served[-1] else 0.0) for version in served)
    # An operator who takes a deployment away has no place to say that the signature may change.
    return Target(model, offset, weighted, signature_may_change=True)
