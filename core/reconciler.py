"""The reconciler: from what is wanted and what is there, the next thing to do.

All or nothing: a target takes traffic when every one of its versions is loaded and fits; until then, and if one fails,
what served before goes on. A failure is tried again after a while, as long as it is wanted. A newer target supersedes
an older one at any point, because nothing is remembered but what is there and what failed. If it fails, the older one
is worked on again: so all workers end at the newest that can be followed, whenever they began and whatever they did.

Pure: no clock, no store, no models. Time comes in as `now`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from penstock.core.deployment_target import Target
from penstock.core.model import Signature

_FIRST_S: Final = 2.0
_LONGEST_S: Final = 60.0
NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a target could not be followed.

    Attributes:
        offset: the target's.
        reason: for an operator.
        retry_at: monotonic seconds; `NEVER` where trying again would change nothing.
        tries: how often it has failed.
        version: the one that failed; empty where it is not about one.
    """

    offset: int
    reason: str
    retry_at: float
    tries: int = 1
    version: str = ""


@dataclass(slots=True)
class Here:
    """What a worker has of one model.

    Attributes:
        ready: the signature of each version that is loaded and tested; also of one that has left memory since.
        shadows: versions that are loaded, each once more, to run copies of requests.
        serving: what is in force.
        failures: by the offset of the target.
    """

    ready: dict[str, Signature] = field(default_factory=dict)
    shadows: set[str] = field(default_factory=set)
    serving: Target | None = None
    failures: dict[int, Failure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """Load a version, verify, warm up and test it."""

    target: Target
    version: str
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Serve:
    """Let requests be answered as the target says, from the next batch on."""

    target: Target


@dataclass(frozen=True, slots=True)
class Retire:
    """Take a version out: nothing asks for it any more."""

    model: str
    version: str
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """Say that a target cannot be followed.

    Attributes:
        target: which one.
        reason: for an operator.
        for_good: whether trying again would change nothing.
    """

    target: Target
    reason: str
    for_good: bool


Step = Load | Serve | Retire | Fail


def next_step(targets: Sequence[Target], here: Here, now: float) -> Step | None:
    """Return the next thing to do for a model, or None when there is nothing to do now.

    Args:
        targets: what is wanted, the newest first, and after it what was wanted before. The newest that can be followed
            is followed; none that is older than what serves.
        here: what the worker has of it.
        now: monotonic seconds.
    """
    target = _live(targets, here, now)
    if target is not None:
        step = _towards(target, here)
        if isinstance(step, Fail) and step.for_good and (before := _let_in_before(target, targets, here, now)):
            step = _towards(before, here)
        if step is not None:
            return step
    kept = [each for each in (target, here.serving) if each is not None]
    for version in here.ready:
        if not any(version in each.needed for each in kept):
            return Retire(targets[0].model, version)
    for version in sorted(here.shadows):
        if not any(version in each.shadowed for each in kept):
            return Retire(targets[0].model, version, shadow=True)
    return None


def next_retry(targets: Sequence[Target], here: Here) -> float:
    """Return when a failed target is tried again, monotonic seconds; `NEVER` where none is."""
    waiting = (here.failures[each.offset].retry_at for each in _newer(targets, here) if each.offset in here.failures)
    return min(waiting, default=NEVER)


def failed(
    target: Target, here: Here, reason: str, now: float, *, version: str = "", for_good: bool = False
) -> Failure:
    """Return what a failure is remembered as: each further one of a target waits twice as long, up to a minute."""
    before = here.failures.get(target.offset)
    tries = before.tries + 1 if before else 1
    return Failure(target.offset, reason, NEVER if for_good else now + retry_after_s(tries), tries, version)


def retry_after_s(tries: int) -> float:
    """Return how long what has failed so often is left alone, in seconds."""
    return min(_FIRST_S * 2.0 ** min(tries - 1, 10), _LONGEST_S)


def is_settled(targets: Sequence[Target], here: Here) -> bool:
    """Tell whether what is wanted is in force, or known to fail; else the worker is still working on it."""
    return here.serving == targets[0] or targets[0].offset in here.failures


def standing(targets: Sequence[Target], signatures: Mapping[str, Signature | None]) -> list[Target]:
    """Return what a worker that begins late may serve, the newest first, so that it serves what the others do.

    A worker that was there all the time has refused each deployment whose signature differs from the one in force
    then. A late one, which has nothing in force, finds the same by going through the deployments from the oldest. The
    newest is there in any case: with a fault, where it was refused.

    Args:
        targets: of one model, the newest first.
        signatures: of its versions, as far as they are known; None where one cannot be loaded.
    """
    found: list[Target] = []
    before: str | None = None  # the version that the next one must be like
    for target in reversed(targets):
        why = _misfit(target, signatures, before)
        if why is not None:
            found[:0] = [replace(target, fault=why)] if target is targets[0] else []
            continue
        found.insert(0, target)
        if any(version in signatures and signatures[version] is None for version in target.needed):
            continue  # who was there could not load it either, and went on comparing with what came before it
        known = [version for version in target.needed if version in signatures]
        if known or target.signature_may_change:
            before = known[0] if known else None
    return found


def _live(targets: Sequence[Target], here: Here, now: float) -> Target | None:
    """Return the target to work on: the newest that has not failed lately."""
    return next((each for each in _newer(targets, here) if not _rests(each, here, now)), None)


def _let_in_before(target: Target, targets: Sequence[Target], here: Here, now: float) -> Target | None:
    """Return what has to serve before a target that does not fit what serves: it would fit that, which may differ."""
    between = (each for each in _newer(targets, here) if each.offset < target.offset and each != here.serving)
    return next((each for each in between if each.signature_may_change and not _rests(each, here, now)), None)


def _rests(target: Target, here: Here, now: float) -> bool:
    failure = here.failures.get(target.offset)
    return failure is not None and now < failure.retry_at


def _newer(targets: Sequence[Target], here: Here) -> Sequence[Target]:
    """Return the targets that are not older than what serves."""
    return [each for each in targets if here.serving is None or each.offset >= here.serving.offset]


def _towards(target: Target, here: Here) -> Step | None:
    if here.serving == target:
        return None
    if target.fault:
        return Fail(target, target.fault, for_good=False)
    missing = [(version, False) for version in target.needed if version not in here.ready]
    missing += [(version, True) for version in target.shadowed if version not in here.shadows]
    if missing:
        failure = here.failures.get(target.offset)
        # What has failed is tried first: while it fails, loading the others again is of no use.
        missing.sort(key=lambda each: failure is None or each[0] != failure.version)
        return Load(target, *missing[0])
    serving = here.serving.needed if here.serving is not None else ()
    why = _misfit(target, here.ready, next(iter(serving), None))
    return Serve(target) if why is None else Fail(target, why, for_good=True)


def _misfit(target: Target, signatures: Mapping[str, Signature | None], before: str | None) -> str | None:
    """Tell why a target may not serve, by the signatures that are known; `before` is the version that serves."""
    if target.signature_may_change:
        return None
    known = {name: _essence(found) for name in (before, *target.needed) if name and (found := signatures.get(name))}
    first = next(iter(known), None)
    odd = next((version for version in known if first and known[version] != known[first]), None)
    if odd is None:
        return None
    return (
        f"inputs or outputs of version {odd} differ from those of {first}; "
        "if that is meant, the deployment has to say so: signature_may_change"
    )


def _essence(signature: Signature) -> tuple[object, ...]:
    # How many rows it takes at once is the version's own affair.
    return signature.inputs, signature.outputs, signature.batched
