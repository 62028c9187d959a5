"""Judges the workers of this machine, by their health pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.cli.doctor.finding import WORKERS, Finding
from penstock.cli.figures import counted
from penstock.core.settings import HttpSettings


@dataclass(frozen=True, slots=True)
class Page:
    """What came of one process's pages.

    Attributes:
        address: host:port.
        answers: False where nothing listens.
        ready: whether it says that it serves; None where it is no health page of ours.
        reason: why not, in the words of the worker, or of the connection.
        metrics: whether /metrics could be read.
        clock_ahead_s: of its clock before ours, by the Date header; None where it gave none.
        group: that it serves in, by its metrics; None where they do not say.
    """

    address: str
    answers: bool
    ready: bool | None = None
    reason: str = ""
    metrics: bool = False
    clock_ahead_s: float | None = None
    group: str | None = None


def judge_workers(
    pages: Sequence[Page], http: HttpSettings, members: int, start: str, group: str | None = None
) -> list[Finding]:
    """Judge the processes that the settings say should run here.

    Args:
        pages: one for each; empty where they cannot be found.
        http: where they are.
        members: of the group, wherever they run.
        start: our command that starts a worker.
        group: that the settings name; None where they name none.
    """
    if not http.enabled:
        return [WORKERS.skipped("health", "health pages are off (http.enabled)")]
    if not http.port:
        return [WORKERS.skipped("health", "http.port 0 takes any free port: the log of a worker says which")]
    if not any(page.answers for page in pages):
        where = pages[0].address if len(pages) == 1 else f"{pages[0].address} to {pages[-1].address.rpartition(':')[2]}"
        if members:
            what = f"no health page at {where}; the group has {counted(members, 'member')} elsewhere"
            return [WORKERS.skipped("health", what)]
        why = "No worker runs on this machine with these settings."
        return [WORKERS.warning("health", f"no health page at {where}", why, "Start one:", (start,))]
    return [_judge(page, group) for page in pages]


def _judge(page: Page, group: str | None) -> Finding:
    if not page.answers:
        why = "Other processes of the service run, and this one does not."
        return WORKERS.fault("health", f"{page.address} does not answer: {page.reason}", why, "See the worker's log.")
    if page.ready is None:
        why = "Another program may have the port, and no worker could start there."
        what = f"what answers at {page.address} is no worker: {page.reason}"
        return WORKERS.fault("health", what, why, "Set http.port to a free one.")
    if group is not None and page.group not in (None, group):
        why = "No worker of this service could start with its health page there."
        what = f"{page.address} is a worker of another service, of group {page.group}"
        return WORKERS.fault("health", what, why, "Set http.port to a free one, or look with that service's settings.")
    if not page.ready:
        why = "It is in no position to serve. At a start this takes seconds."
        return WORKERS.fault("ready", f"{page.address} is not ready: {page.reason}", why, "Look again; see its log.")
    if not page.metrics:
        why = "Nobody can see how it does: Prometheus and `penstock top` read them."
        return WORKERS.warning("metrics", f"{page.address} serves, and /metrics does not answer", why)
    return WORKERS.ok("health", f"{page.address} is ready")
