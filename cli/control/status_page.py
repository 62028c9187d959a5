"""`penstock status` for people: tables, and below them what somebody should look at."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.console import Group
from rich.text import Text

from penstock.cli.control.problems import WorkerLine
from penstock.cli.control.service_view import ServiceView, ThrottleLine, VersionLine
from penstock.cli.control.wording import percent
from penstock.cli.figures import NOTHING, counted, size
from penstock.cli.terminal import print_table, printable, table_of

_ACT: Final = "bold red"
_LOOK: Final = "yellow"
_OF_WORKERS: Final = ("worker", "state", "epoch", "partitions", "memory", "working on")
_OF_VERSIONS: Final = ("model", "version", "share", "on")
_OF_THROTTLES: Final = ("throttle", "wanted", "asked/s", "granted/s", "waiting", "on")


class _Section(NamedTuple):
    """A table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: Sequence[str]


def print_page(view: ServiceView) -> None:
    """Print a view, below what is there."""
    print(_header(view))
    for section in _sections(view):
        print()
        print_table(section.columns, section.rows, right=section.right)
    if view.problems or view.refusals:
        print()
    for line in [*view.problems, *view.refusals]:
        print(printable(line))


def live_page(view: ServiceView, hint: str) -> Group:
    """Return a view as it is drawn again and again, with how to end that on its last line."""
    parts: list[Any] = [Text(_header(view), style="bold")]
    for section in _sections(view):
        parts += [Text(), table_of(section.columns, section.rows, right=section.right)]
    if view.problems or view.refusals:
        parts += [Text(), *(Text(printable(each), style=_ACT) for each in view.problems)]
        parts += [Text(printable(each), style=_LOOK) for each in view.refusals]
    return Group(*parts, Text(), Text(hint, style="dim"))


def document(view: ServiceView) -> dict[str, Any]:
    """Return a view for programs."""
    return {
        "group": view.group,
        "topic": view.topic,
        "epoch": view.epoch,
        "digest": view.digest,
        "workers": [{**each.status.model_dump(), "gone": each.gone, "behind": each.behind} for each in view.workers],
        "silent": list(view.silent),
        "deployments": dict(view.deployments),
        "throttles": [
            {name: getattr(each, name) for name in ("scope", "wanted", "asked_per_s", "granted_per_s", "waiting")}
            for each in view.throttles
        ],
        "lanes": [{"topic": each.topic, "wanted": each.wanted, "workers": dict(each.states)} for each in view.lanes],
        "problems": list(view.problems),
        "refusals": list(view.refusals),
    }


def _header(view: ServiceView) -> str:
    commands = f"epoch {view.epoch}, digest {view.digest[:8]}" if view.epoch >= 0 else "no commands yet"
    commands += " on all" if view.epoch >= 0 and view.agreed else ""
    return f"{view.group}: {counted(view.live, 'live worker')}; {view.topic}: {commands}"


def _sections(view: ServiceView) -> list[_Section]:
    sections = [
        _Section(_OF_WORKERS, [_worker(each) for each in view.workers], _OF_WORKERS[2:5]),
        _Section(("deployment", "wanted"), list(view.deployments.items()), ()),
        _Section(_OF_VERSIONS, [_version(each, view.live) for each in view.versions], ("version", "share")),
        _Section(_OF_THROTTLES, [_throttle(each, view.live) for each in view.throttles], _OF_THROTTLES[2:5]),
        _Section(
            ("lane", "wanted", "workers say"),
            [(each.topic, each.wanted, _counts(each.states, view.live)) for each in view.lanes],
            (),
        ),
    ]
    return [section for section in sections if section.rows]


def _worker(line: WorkerLine) -> tuple[object, ...]:
    status = line.status
    epoch = NOTHING if status.epoch < 0 else str(status.epoch)
    return (
        status.worker,
        "gone" if line.gone else status.state,
        f"{epoch} ({line.behind} behind)" if line.behind else epoch,
        status.partitions,
        size(status.rss_bytes),
        ", ".join(status.pending) or NOTHING,
    )


def _version(line: VersionLine, live: int) -> tuple[object, ...]:
    return line.model, line.version, " to ".join(map(percent, line.shares)), _counts(line.states, live)


def _throttle(line: ThrottleLine, live: int) -> tuple[object, ...]:
    asked, granted = f"{line.asked_per_s:,.1f}", f"{line.granted_per_s:,.1f}"
    return line.scope, line.wanted, asked, granted, f"{line.waiting:,}", f"{line.holders} of {live}"


def _counts(states: Mapping[str, int], live: int) -> str:
    """Return how many are in each state, as `serving on 2 of 2`."""
    return ", ".join(f"{state} on {count} of {live}" for state, count in sorted(states.items()))
