"""From everything seen to the figures of the page. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from penstock.cli.pages.rates import mean, merged, not_exceeded
from penstock.cli.top.cluster import ClusterState
from penstock.cli.top.lanes import lag_of, lane_lines
from penstock.cli.top.notes import notes_on
from penstock.cli.top.process import Process, code_lines, dead_letter_lines, model_lines, rate, times, worker_lines
from penstock.cli.top.view import LaneLine, Totals, View

_STEADY: Final = 0.002  # of the lag, per second: less than that is no trend
_LEAST_TREND: Final = 1.0  # records per second
_SLACK: Final = 1.4  # moments do not come to the millisecond


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of the charts.

    Attributes:
        at: monotonic seconds.
        rate: requests answered per second.
        lag: records; None where nobody knew.
        whole: the lag is Kafka's word on all partitions, not the workers' on theirs.
    """

    at: float
    rate: float
    lag: int | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that the page is made of.

    Attributes:
        now, wall: monotonic seconds, and those of the wall clock.
        window_s: what rates are taken over.
        group, topics: of the service.
        kafka: addresses that Kafka is asked at.
        processes: in the order of the page.
        before, cluster: what Kafka said some seconds ago, and now; None before it was asked.
        moments: for the charts, the newest last.
    """

    now: float
    wall: float
    window_s: float
    group: str
    topics: tuple[str, ...]
    kafka: str
    processes: tuple[Process, ...] = ()
    before: ClusterState | None = None
    cluster: ClusterState | None = None
    moments: tuple[Moment, ...] = field(default=(), repr=False)

    @property
    def told(self) -> ClusterState | None:
        """What Kafka says of the group; None where it says nothing, or does not know the group."""
        cluster = self.cluster
        return cluster if cluster is not None and cluster.problem is None and not cluster.unknown_group else None


def view_of(seen: Seen) -> View:
    """Put the page's figures together."""
    cluster, processes = seen.told, seen.processes
    lanes = lane_lines(processes, seen.topics, seen.before if cluster else None, cluster)
    workers = tuple(worker_lines(processes, cluster, seen.now, seen.wall))
    uptimes = [worker.uptime_s for worker in workers if worker.uptime_s is not None]
    return View(
        time=datetime.fromtimestamp(seen.wall).astimezone().isoformat(timespec="seconds"),
        window_s=round(seen.window_s, 3),
        group=seen.group,
        kafka=seen.kafka,
        kafka_problem=seen.cluster.problem if seen.cluster else None,
        group_state=cluster.state if cluster else None,
        ready=sum(worker.state == "ready" for worker in workers),
        uptime_s=max(uptimes, default=None),
        totals=_totals(seen, lanes),
        models=model_lines(processes),
        lanes=lanes,
        workers=workers,
        errors=code_lines(processes),
        dead_letters=dead_letter_lines(processes),
        notes=notes_on(seen.cluster, processes, workers, lanes, group=seen.group, kafka=seen.kafka),
        rates=tuple(moment.rate for moment in seen.moments),
        lags=tuple(float(moment.lag) for moment in seen.moments if moment.lag is not None),
    )


def moment_of(seen: Seen) -> Moment:
    """Return the newest point of the charts."""
    works = [process.latest_work for process in seen.processes if process.latest_work is not None]
    lag = lag_of(lane_lines(seen.processes, seen.topics, None, seen.told))
    return Moment(seen.now, rate(works), lag, whole=seen.told is not None)


def lag_trend(moments: Sequence[Moment]) -> float | None:
    """Return how fast the lag changes, records per second; 0 for what is no trend, None where nobody can tell."""
    last = moments[-1] if moments else None
    if last is None or last.lag is None:
        return None
    alike = [each for each in moments if each.lag is not None and each.whole == last.whole]
    first = alike[0]
    if first.lag is None or last.at <= first.at:
        return None
    trend = (last.lag - first.lag) / (last.at - first.at)
    return trend if abs(trend) >= max(_LEAST_TREND, _STEADY * last.lag) else 0.0


def _totals(seen: Seen, lanes: tuple[LaneLine, ...]) -> Totals:
    works = [process.work for process in seen.processes if process.work is not None]
    samples = [process.running for process in seen.processes if process.running is not None]
    answered_per_s = rate(works) if works else None
    errors_per_s = rate(works, failed=True) if works else None
    lag = lag_of(lanes)
    recent = [each for each in seen.moments if each.at >= seen.now - _SLACK * seen.window_s]
    trend = lag_trend(recent) if lag is not None else None
    arriving = [lane.arriving_per_s for lane in lanes if lane.arriving_per_s is not None]
    rows = merged(histogram for work in works for histogram in work.batch_rows.values())

    def held(gauge: str) -> int | None:
        known = [int(sample.gauges[gauge]) for sample in samples if gauge in sample.gauges]
        return sum(known) if known else None

    return Totals(
        answered=int(sum(count for sample in samples for count in sample.requests.values())),
        answered_per_s=answered_per_s,
        errors=int(sum(n for sample in samples for (_, outcome), n in sample.requests.items() if outcome != "ok")),
        errors_per_s=errors_per_s,
        error_share=errors_per_s / answered_per_s if answered_per_s and errors_per_s is not None else None,
        lag=lag,
        lag_per_s=trend,
        clears_s=lag / -trend if lag and trend is not None and trend < 0 else None,
        arriving_per_s=sum(arriving) if arriving else None,
        queue=times(work.queue for work in works),
        inference=times(histogram for work in works for histogram in work.inference.values()),
        publish=times(work.publish for work in works),
        batch_rows=mean(rows),
        batch_rows_p99=not_exceeded(rows, 0.99),
        buffered_bytes=held("buffered_bytes"),
        buffered_rows=held("buffered_rows"),
        max_bytes=held("max_bytes"),
        max_rows=held("max_rows"),
        paused=sum(bool(sample.gauges.get("paused")) for sample in samples),
        rebalances=int(max((sample.gauges.get("epoch", 0.0) for sample in samples), default=0.0)),
    )
