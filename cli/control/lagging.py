"""Where a worker does not do what is wanted: what it says, beside what is asked of it. Pure."""

from collections.abc import Iterator, Sequence

from penstock.cli.control.wording import percent, phrase
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.state import ControlState, Entry
from penstock.schemas.control.status import WorkerStatus


def lagging(state: ControlState, live: Sequence[WorkerStatus]) -> Iterator[list[str]]:
    """Yield for each resource that a live worker is behind with its name, what workers have, and what is wanted.

    A worker is behind with what it has not read, what it works on, and what it could not do.
    """
    for about, entry in sorted(state.entries.items(), key=lambda item: str(item[0])):
        lines = [line for status in live if (line := _line(about, entry, status))]
        if lines:
            yield [f"{about} (offset {entry.offset})", *lines, f"  + wanted: {phrase(about, entry.spec)}"]


def _line(about: Resource, entry: Entry, status: WorkerStatus) -> str:
    failed = [each.reason for each in status.failed if each.resource == str(about)]
    if status.epoch < entry.offset:
        why = f"has read up to offset {status.epoch}"
    elif failed:
        why = f"failed: {failed[0]}"
    elif str(about) in status.pending:
        why = "is working on it"
    else:
        return ""
    here = _here(about, status)
    return f"  - {status.worker}: {f'{here}; ' if here else ''}{why}"


def _here(about: Resource, status: WorkerStatus) -> str:
    """Return what a worker says of a resource now; empty where it does not."""
    if about.kind is Kind.DEPLOYMENT:
        serving = [each for each in status.versions if each.model == about.name and each.share > 0]
        return ", ".join(f"{each.model}@{each.version} {percent(each.share)}" for each in serving)
    return status.lanes.get(about.name, "running") if about.kind is Kind.LANE else ""
