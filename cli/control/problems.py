"""What somebody should look at: workers that disagree, fail, are gone, or refuse. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.cli.control.wording import clock
from penstock.schemas.control.state import ControlState
from penstock.schemas.control.status import WorkerStatus


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A worker and what it last said.

    Attributes:
        status: its last word.
        gone: it has said nothing for three of its intervals.
        behind: commands that it has not read.
    """

    status: WorkerStatus
    gone: bool
    behind: int


def problems(state: ControlState, workers: Sequence[WorkerLine], silent: Sequence[str]) -> list[str]:
    """Return a sentence or two on each, the worst first; for the arguments see `view_of`."""
    live = [each.status for each in workers if not each.gone]
    return [*_disagreements(state, live), *_failures(live), *_absences(workers, silent)]


def refusals(workers: Sequence[WorkerLine]) -> list[str]:
    """Return the commands that workers have refused lately, the newest first."""
    refused = {each.offset: each for line in workers for each in line.status.refused}
    return [
        f"offset {offset}{f' ({each.resource})' if each.resource else ''} was refused: {each.code}: {each.reason}"
        for offset, each in sorted(refused.items(), reverse=True)
    ]


def _disagreements(state: ControlState, live: Sequence[WorkerStatus]) -> list[str]:
    """Return who has read the same commands as others, and wants something else."""
    found = []
    by_epoch: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for status in live:
        by_epoch[status.epoch][status.digest].append(status.worker)
    by_epoch[state.epoch][state.digest()].append("this command")
    for epoch, said in sorted(by_epoch.items()):
        if len(said) > 1:
            sides = "; ".join(
                f"digest {digest[:8]} on {', '.join(sorted(who))}" for digest, who in sorted(said.items())
            )
            found.append(
                f"WORKERS DISAGREE at epoch {epoch}: {sides}. They do not trust the same keys (control.trusted_keys, "
                "control.signing), or are of different versions of Penstock."
            )
    return found


def _failures(live: Sequence[WorkerStatus]) -> list[str]:
    who: defaultdict[tuple[int, str, str], list[str]] = defaultdict(list)
    for status in live:
        for each in status.failed:
            who[each.offset, each.resource, each.reason].append(status.worker)
    return [
        f"{resource} (offset {offset}) failed on {', '.join(sorted(workers))}: {reason}"
        for (offset, resource, reason), workers in sorted(who.items(), reverse=True)
    ]


def _absences(workers: Sequence[WorkerLine], silent: Sequence[str]) -> list[str]:
    found = [
        f"{each.status.worker} is gone: no word from it since {clock(each.status.time)}"
        for each in workers
        if each.gone
    ]
    if silent:
        found.append(
            f"{', '.join(silent)}: in the group, and silent. "
            "They do not follow the control topic (control.enabled), or cannot write to the status topic."
        )
    return found
