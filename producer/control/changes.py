"""What an order makes of the deployment that there is. Pure.

Weights are percent wherever they are made here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from penstock.producer.control.results import CannotChange
from penstock.schemas.control.command import read_spec
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.specs import Deployment, Lane, Shadow, Spec

ALL: Final = 100.0


def deployment(
    present: Deployment | None,
    versions: Sequence[tuple[str, float]],
    *,
    shadows: Iterable[Shadow | str] | None = None,
    **others: Any,
) -> Deployment:
    """Return a deployment of these versions; what is None stays as it is, but for a leave to change the signature.

    Args:
        present: what is wanted now.
        versions: with their weights.
        shadows: what is to be shadowed. Those that stay lose what now answers.
        others: salt, batching, not_finite, signature_may_change.

    Raises:
        CommandRefused: BAD_SPEC.
    """
    spec = {} if present is None else present.model_dump(mode="json", exclude_defaults=True)
    spec.pop("signature_may_change", None)  # a leave for one step
    spec |= {name: _plain(value) for name, value in others.items() if value is not None}
    spec["versions"] = [{"version": version, "weight": float(weight)} for version, weight in versions]
    if shadows is None:
        answering = {version for version, weight in versions if weight}
        spec["shadows"] = [each for each in spec.get("shadows", ()) if each["version"] not in answering]
    else:
        spec["shadows"] = [_plain(Shadow(version=each) if isinstance(each, str) else each) for each in shadows]
    found = read_spec(Resource(Kind.DEPLOYMENT, ""), spec)
    assert isinstance(found, Deployment)
    return found


def weights_of(versions: Mapping[str, float] | str) -> list[tuple[str, float]]:
    """Return versions with their weights; one name gets everything."""
    return [(versions, ALL)] if isinstance(versions, str) else list(versions.items())


def with_canary(model: str, present: Deployment | None, version: str, percent: float) -> list[tuple[str, float]]:
    """Return the weights where a version gets a part of the traffic, and the others share the rest as before.

    The canary stands last. One that is a canary already gets another part.

    Args:
        model: for the error.
        present: what is wanted now.
        version: the canary.
        percent: its part, 0 <= percent < 100; with 0 it answers those who ask for it by name.

    Raises:
        CannotChange: there is nobody who could share the rest, or the part is none.
    """
    if not 0 <= percent < ALL:
        raise CannotChange(f"a canary gets 0 percent or more, and less than 100, not {percent:g}")
    if present is None:
        raise CannotChange(
            f"{model} has no deployment, so nobody knows what would serve beside the canary {version}.\n"
            "Deploy what serves now, and then the canary."
        )
    others = [(each.version, each.weight) for each in present.versions if each.version != version]
    total = sum(weight for _, weight in others)
    if not total:
        raise CannotChange(f"{model} is served by {version} alone, so there is nothing that could keep the rest")
    rest = ALL - percent
    return [*((name, rest * (weight / total)) for name, weight in others), (version, percent)]


def lane(present: Lane | None, state: str, weight: int | None) -> dict[str, Any]:
    """Return what is wanted of a lane; a weight of None stays as it is."""
    kept = {} if present is None else {"weight": present.weight}
    return kept | {"state": state} | ({} if weight is None else {"weight": weight})


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_defaults=True) if hasattr(value, "model_dump") else value


def spec_of(resource: Resource, wanted: Spec | Mapping[str, Any]) -> Spec:
    """Return what is wanted as a spec. Raises: CommandRefused (BAD_SPEC or UNSUPPORTED)."""
    return read_spec(resource, dict(wanted) if isinstance(wanted, Mapping) else _plain(wanted))
