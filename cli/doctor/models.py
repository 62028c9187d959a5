"""Judges the models: the repository can be read, each model loads and runs, the default one is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.cli.doctor.finding import MODELS, Finding
from penstock.core.repository import check_default
from penstock.core.settings import ModelsSettings
from penstock.schemas.errors import ConfigurationError

_LAYOUT = "A repository is laid out as <model>/<version>/model.onnx (or model.py)."


@dataclass(frozen=True, slots=True)
class Tried:
    """One version of a model.

    Attributes:
        name, version: as in the repository.
        took_s: seconds to load and to run once; None where it did not get that far.
        error: why not; empty where it did.
    """

    name: str
    version: str
    took_s: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ModelsSeen:
    """What came of loading models in a process of their own.

    Attributes:
        available: the models that would be served.
        tried: what came of each version, in order.
        unreadable: what is wrong with the repository, one line each.
        unfinished: what was loading when time was up, as `name@version`.
        died: how the process ended, where it did not end by itself.
        limit_s: the time it had.
    """

    available: Sequence[str] = ()
    tried: Sequence[Tried] = ()
    unreadable: Sequence[str] = ()
    unfinished: str = ""
    died: str = ""
    limit_s: float = 0.0


def judge_models(seen: ModelsSeen, settings: ModelsSettings, check: str) -> list[Finding]:
    """Judge the models.

    Args:
        seen: what came of loading them.
        settings: with which.
        check: our command that checks models more closely.
    """
    found = [
        MODELS.fault("repository", line, f"No worker starts. {_LAYOUT}", "Mend it, or set models.repository.")
        for line in seen.unreadable
    ]
    found += [_judge(tried, check) for tried in seen.tried]
    if seen.died:
        found.append(_cut_short(seen))
    if seen.available:
        try:
            check_default(settings, seen.available, str(settings.repository))
        except ConfigurationError as error:
            mend = "Set models.default to one of these."
            found.append(MODELS.fault("default", str(error), "No worker starts.", mend))
    return found


def _judge(tried: Tried, check: str) -> Finding:
    who = f"{tried.name}@{tried.version}"
    if tried.error:
        what = tried.error.splitlines()[0]
        what = what if what.startswith(who) else f"{who}: {what}"
        return MODELS.fault(
            "model", what, "No worker starts while a model cannot be loaded.", "See more of it:", (check,)
        )
    return MODELS.ok("model", f"{who} loads and runs ({tried.took_s or 0:.1f} s)")


def _cut_short(seen: ModelsSeen) -> Finding:
    who = seen.unfinished or "the repository"
    if seen.died == "timeout":
        what = f"{who} was not loaded after {seen.limit_s:g} s"
        return MODELS.warning("time", what, "A worker serves nothing until all are.", "Give it longer: --timeout 120.")
    why = "A worker would end in the same way, and be started again and again."
    return MODELS.fault("crash", f"the process that loaded {who} {seen.died}", why, "Look at its memory and libraries.")
