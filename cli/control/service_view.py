"""What a service is to do, beside what its workers say they do: the facts of `penstock status`. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.cli.control.problems import WorkerLine, problems, refusals
from penstock.cli.control.wording import phrase, rate
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.specs import Throttle
from penstock.schemas.control.state import ControlState
from penstock.schemas.control.status import WorkerStatus
from penstock.transport.control.statuses import GONE


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version of a model, as the live workers have it: how many in each state, and the shares they give it."""

    model: str
    version: str
    states: Mapping[str, int]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ThrottleLine:
    """A throttle, the sums over the live workers, and how many of them hold it."""

    scope: str
    wanted: str
    asked_per_s: float
    granted_per_s: float
    waiting: int
    holders: int


@dataclass(frozen=True, slots=True)
class LaneLine:
    """A request topic that something is wanted of, and how many live workers say that it is so."""

    topic: str
    wanted: str
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service at one moment.

    Attributes:
        group, topic: of the service.
        epoch, digest: of the control topic, read to its end.
        workers: those that live first.
        silent: members of the group that say nothing on the status topic.
        deployments: what is wanted of each model, by name.
        problems: what somebody should look at, the worst first.
        refusals: commands that changed nothing; they do no harm.
    """

    group: str
    topic: str
    epoch: int
    digest: str
    workers: Sequence[WorkerLine]
    silent: Sequence[str]
    deployments: Mapping[str, str]
    versions: Sequence[VersionLine]
    throttles: Sequence[ThrottleLine]
    lanes: Sequence[LaneLine]
    problems: Sequence[str]
    refusals: Sequence[str]

    @property
    def live(self) -> int:
        """How many workers live."""
        return sum(not each.gone for each in self.workers)

    @property
    def agreed(self) -> bool:
        """Whether there are live workers, and all of them have read everything and want the same."""
        said = {(each.status.epoch, each.status.digest) for each in self.workers if not each.gone}
        return said == {(self.epoch, self.digest)}


def view_of(
    group: str, topic: str, state: ControlState, statuses: Sequence[WorkerStatus], silent: Sequence[str]
) -> ServiceView:
    """Put together what is wanted and what is said.

    Args:
        group: of the service.
        topic: of its commands.
        state: the control topic, read to its end.
        statuses: the last word of each worker.
        silent: members of the group that say nothing.
    """
    workers = _workers(state.epoch, statuses)
    live = [each.status for each in workers if not each.gone]
    deployments = {name: phrase(Resource(Kind.DEPLOYMENT, name), e.spec) for name, e in state.deployments().items()}
    return ServiceView(
        group=group,
        topic=topic,
        epoch=state.epoch,
        digest=state.digest(),
        workers=workers,
        silent=silent,
        deployments=deployments,
        versions=_versions(live),
        throttles=_throttles(state, live),
        lanes=_lanes(state, live),
        problems=problems(state, workers, silent),
        refusals=refusals(workers),
    )


def _workers(epoch: int, statuses: Sequence[WorkerStatus]) -> list[WorkerLine]:
    lines = [
        WorkerLine(each, each.state == GONE, max(0, epoch - each.epoch)) for each in statuses if each.state != "stopped"
    ]
    return sorted(lines, key=lambda line: (line.gone, line.status.worker))


def _versions(live: Sequence[WorkerStatus]) -> list[VersionLine]:
    states: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    shares: defaultdict[tuple[str, str], set[float]] = defaultdict(set)
    for status in live:
        for each in status.versions:
            states[each.model, each.version][each.state] += 1
            shares[each.model, each.version].add(each.share)
    return [
        VersionLine(model, version, states[model, version], tuple(sorted(shares[model, version])))
        for model, version in sorted(states)
    ]


def _throttles(state: ControlState, live: Sequence[WorkerStatus]) -> list[ThrottleLine]:
    lines = []
    for scope, entry in state.throttles().items():
        demands = [status.demand[str(scope)] for status in live if str(scope) in status.demand]
        wanted = rate(entry.spec) if isinstance(entry.spec, Throttle) else ""
        lines.append(
            ThrottleLine(
                str(scope),
                wanted,
                sum(each.rows_per_s for each in demands),
                sum(each.granted_per_s for each in demands),
                sum(each.waiting for each in demands),
                sum(status.epoch >= entry.offset for status in live),  # idle ones may be left out of a report
            )
        )
    return lines


def _lanes(state: ControlState, live: Sequence[WorkerStatus]) -> list[LaneLine]:
    wanted = state.lanes()
    topics = {*wanted, *(topic for status in live for topic in status.lanes)}
    return [
        LaneLine(
            topic,
            phrase(Resource(Kind.LANE, topic), wanted[topic].spec if topic in wanted else None),
            Counter(status.lanes.get(topic, "running") for status in live),
        )
        for topic in sorted(topics)
    ]
