"""What is wanted of a resource, in words: on one line, and field by field so that two can be compared. Pure."""

from datetime import UTC, datetime
from typing import Final

from penstock.cli.figures import NOTHING, counted
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.specs import Deployment, Lane, Spec, Throttle

# What holds while nothing is set.
UNSET: Final = {
    Kind.DEPLOYMENT: "as the settings say",
    Kind.THROTTLE: "no limit",
    Kind.LANE: "running, weight 1",
    Kind.KEY: "not trusted by the log",
}


def phrase(about: Resource, spec: Spec | None) -> str:
    """Return what is wanted on one line; None says what holds without."""
    if spec is None:
        return UNSET[about.kind]
    if isinstance(spec, Deployment):
        shadows = f"; shadow {_shadows(spec)}" if spec.shadows else ""
        return versions(about.name, spec) + shadows
    if isinstance(spec, Throttle):
        over = "what is over waits" if spec.on_excess == "delay" else "what is over is refused"
        return f"{rate(spec)}, {over}"
    if isinstance(spec, Lane):
        return f"{spec.state}, weight {spec.weight}"
    return f"trusted for {', '.join(spec.scopes)}"


def fields(about: Resource, spec: Spec | None) -> dict[str, str]:
    """Return each fact by its name, in words; no facts where nothing is set."""
    if spec is None:
        return {}
    if isinstance(spec, Deployment):
        return _deployment(about.name, spec)
    if isinstance(spec, Throttle):
        burst = "a second's worth" if spec.burst is None else counted(spec.burst, "row")
        return {"rate": rate(spec), "burst": burst, "what is over": _EXCESS[spec.on_excess]}
    if isinstance(spec, Lane):
        return {"state": spec.state, "weight": str(spec.weight)}
    return {"public": spec.public, "scopes": ", ".join(spec.scopes)}


def versions(model: str, spec: Deployment) -> str:
    """Return the versions that answer and their shares, as `iris@1 90 %, iris@2 10 %`."""
    total = sum(each.weight for each in spec.versions)
    if len(spec.versions) == 1:
        return f"{model}@{spec.versions[0].version}"
    return ", ".join(f"{model}@{each.version} {percent(each.weight / total)}" for each in spec.versions)


def rate(spec: Throttle) -> str:
    """Return how much a throttle lets through."""
    return f"{spec.rows_per_s:,.10g} rows/s" if spec.rows_per_s else "stopped"


def percent(share: float) -> str:
    """Return a part of 1 as percent, to a tenth: 90 %, 12.5 %, 0.1 %."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def clock(time_ms: int) -> str:
    """Return a time of epoch milliseconds as `2026-11-23 04:35:11+01:00`, in the time zone of this machine."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError):  # whoever wrote it may have written anything
        return f"{time_ms} ms"


def comparison(about: Resource, before: Spec | None, after: Spec | None) -> list[str]:
    """Return the change from one to the other as lines: `-` was, `+` will be, others stay.

    Without anything before or after, the line says what holds instead.
    """
    was, will = fields(about, before), fields(about, after)
    if not was or not will:
        lines = [f"- {UNSET[about.kind]}"] if not was and will else []
        lines += _aligned("-", was) + _aligned("+", will)
        return [*lines, f"+ {UNSET[about.kind]}"] if not will else lines
    width = max(map(len, [*was, *will]))
    lines = []
    for name in [*will, *(name for name in was if name not in will)]:
        if was.get(name) == will.get(name):
            lines.append(f"  {name:<{width}}  {will[name]}")
            continue
        lines.append(f"- {name:<{width}}  {was.get(name, NOTHING)}")
        lines.append(f"+ {name:<{width}}  {will.get(name, NOTHING)}")
    return lines


_EXCESS: Final = {"delay": "waits", "reject": "is answered THROTTLED"}


def _deployment(model: str, spec: Deployment) -> dict[str, str]:
    found = {"versions": versions(model, spec)}
    found |= {"salt": spec.salt} if spec.salt else {}
    found |= {"shadows": _shadows(spec)} if spec.shadows else {}
    found |= {"max rows": str(spec.batching.max_rows)} if spec.batching.max_rows is not None else {}
    found |= {"max delay": f"{spec.batching.max_delay_s:g} s"} if spec.batching.max_delay_s is not None else {}
    found |= {"NaN, infinity": "refused"} if spec.not_finite == "refuse" else {}
    found |= {"inputs, outputs": "may change"} if spec.signature_may_change else {}
    return found


def _shadows(spec: Deployment) -> str:
    return ", ".join(f"{each.version} {percent(each.share)}" + (f" to {each.topic}" if each.topic else "")
                     for each in spec.shadows)  # fmt: skip


def _aligned(mark: str, facts: dict[str, str]) -> list[str]:
    width = max(map(len, facts), default=0)
    return [f"{mark} {name:<{width}}  {value}" for name, value in facts.items()]
