"""Whether a load held its objectives, and who broke them: the service, or the generator itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from penstock.cli.bench.load import Figures
from penstock.cli.bench.objective import Objective
from penstock.cli.figures import duration

_OWN_PART: Final = 0.5  # of a limit: a generator that is so late has used it up itself
_NOTABLE_S: Final = 0.005
_NOTABLE_PART: Final = 0.2


class Cause(StrEnum):
    """Who broke an objective."""

    SERVICE = "service"
    GENERATOR = "generator"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a load.

    Attributes:
        cause: who broke an objective; None where all held.
        reason: in words; empty where all held.
    """

    cause: Cause | None = None
    reason: str = ""

    @property
    def held(self) -> bool:
        """Whether every objective held."""
        return self.cause is None


def judge(figures: Figures, objectives: Sequence[Objective]) -> Verdict:
    """Tell whether a load held its objectives. The first that did not is the reason."""
    if figures.outrun:
        return Verdict(Cause.GENERATOR, figures.stopped)
    if figures.stopped and not figures.answered:
        return Verdict(Cause.SERVICE, figures.stopped)
    for objective in objectives:
        if objective.holds(figures.latency, figures.failed_share):
            continue
        reason = objective.broken(figures.latency, figures.failed_share)
        if not _own_fault(figures, objective):
            return Verdict(Cause.SERVICE, reason)
        late_s = figures.late.percentile_s(objective.share)
        return Verdict(Cause.GENERATOR, f"{reason}; requests had left {duration(late_s)} late")
    return Verdict(Cause.SERVICE, figures.stopped) if figures.stopped else Verdict()


def behind(figures: Figures) -> str:
    """Say how far the generator fell behind its own schedule; empty where that does not matter.

    It sends and reads in one process. When that is late the latency says so, but not of the service.
    """
    late_s, whole_s = figures.late.percentile_s(99), figures.latency.percentile_s(99)
    notable = late_s > max(_NOTABLE_S, _NOTABLE_PART * whole_s)
    if figures.load.rate is None or not (notable or figures.saturated):
        return ""
    return f"The generator was late itself, by {duration(late_s)} at p99, on {figures.cpu:.2f} cores; it can use one."


def _own_fault(figures: Figures, objective: Objective) -> bool:
    if objective.kind == "errors":
        return False
    without = objective.holds(figures.service, figures.failed_share)
    own_s = figures.late.percentile_s(objective.share)
    return without or own_s >= _OWN_PART * objective.limit or figures.saturated
