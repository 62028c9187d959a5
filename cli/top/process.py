"""What is known of one worker process, and the lines of the page that processes give."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penstock.cli.pages.rates import Work, mean, merged, quantile, work_between
from penstock.cli.pages.sample import Histogram, Sample, Silence
from penstock.cli.top.cluster import ClusterState
from penstock.cli.top.view import CodeLine, ModelLine, Times, WorkerLine


@dataclass(frozen=True, slots=True)
class Process:
    """What is known of what runs at one place.

    Attributes:
        url: of the place.
        last: the newest look that gave something; None where there was none.
        silence: what became of the newest look, if it gave nothing.
        work: what it did in the last seconds; None while it is silent, and after one look alone.
        latest_work: what it did between the last two looks.
    """

    url: str
    last: Sample | None = None
    silence: Silence | None = None
    work: Work | None = None
    latest_work: Work | None = None

    @property
    def running(self) -> Sample | None:
        """The newest look, while the process answers."""
        return self.last if self.silence is None else None


def process_of(url: str, samples: Sequence[Sample], silence: Silence | None) -> Process:
    """Put together what is known of a place.

    Args:
        url: of the place.
        samples: the looks of the last seconds, the newest last.
        silence: what became of a look after them.
    """
    if silence is not None or len(samples) < 2:
        return Process(url, samples[-1] if samples else None, silence)
    return Process(
        url, samples[-1], work=work_between(samples[0], samples[-1]), latest_work=work_between(*samples[-2:])
    )


def rate(works: Iterable[Work], model: str | None = None, code: str | None = None, *, failed: bool = False) -> float:
    """Return requests answered per second: all, or those of a model, with a code, or with any code of an error."""
    return sum(
        count / work.seconds
        for work in works
        for (name, outcome), count in work.requests.items()
        if model in (None, name) and code in (None, outcome) and not (failed and outcome == "ok")
    )


def times(histograms: Iterable[Histogram]) -> Times:
    """Return the quantiles that the page shows."""
    whole = merged(histograms)
    return Times(quantile(whole, 0.5), quantile(whole, 0.99))


def code_lines(processes: Sequence[Process], model: str | None = None) -> tuple[CodeLine, ...]:
    """Return the errors by code, of all models or of one, the most frequent first."""
    works = [process.work for process in processes if process.work is not None]
    counts: Counter[str] = Counter()
    for sample in _running(processes):
        for (name, outcome), count in sample.requests.items():
            if outcome != "ok" and model in (None, name):
                counts[outcome] += int(count)
    lines = [CodeLine(code, n, rate(works, model, code) if works else None) for code, n in counts.items()]
    return tuple(sorted(lines, key=lambda line: (-line.count, line.code)))


def dead_letter_lines(processes: Sequence[Process]) -> tuple[CodeLine, ...]:
    """Return the dead letters by reason, the most frequent first."""
    works = [process.work for process in processes if process.work is not None]
    counts: Counter[str] = Counter()
    for sample in _running(processes):
        counts.update({reason: int(count) for reason, count in sample.dead_letters.items()})
    lines = [
        CodeLine(reason, n, sum(work.dead_letters.get(reason, 0.0) / work.seconds for work in works) if works else None)
        for reason, n in counts.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.count, line.code)))


def model_lines(processes: Sequence[Process]) -> tuple[ModelLine, ...]:
    """Return a line for each model, by name; what belongs to no model comes last."""
    samples = _running(processes)
    names = {name for sample in samples for name in sample.loaded}
    names |= {name for sample in samples for name, _ in sample.requests}
    return tuple(_model_line(name, processes, samples) for name in sorted(names, key=lambda name: (not name, name)))


def _model_line(name: str, processes: Sequence[Process], samples: Sequence[Sample]) -> ModelLine:
    works = [process.work for process in processes if process.work is not None]
    answered_per_s = rate(works, name) if works else None
    errors_per_s = rate(works, name, failed=True) if works else None
    rows = merged(work.batch_rows[name] for work in works if name in work.batch_rows)
    return ModelLine(
        name=name,
        serving=_versions(sample.serving[name] for sample in samples if name in sample.serving),
        versions=_versions(version for sample in samples for version in sample.loaded.get(name, ())),
        answered=int(sum(n for sample in samples for (model, _), n in sample.requests.items() if model == name)),
        answered_per_s=answered_per_s,
        errors_per_s=errors_per_s,
        error_share=errors_per_s / answered_per_s if answered_per_s and errors_per_s is not None else None,
        codes=code_lines(processes, name),
        batch_rows=mean(rows),
        inference=times(work.inference[name] for work in works if name in work.inference),
    )


def worker_lines(
    processes: Sequence[Process], cluster: ClusterState | None, now: float, wall: float
) -> list[WorkerLine]:
    """Return a line for each process, and one for each member of the group that none of them is.

    Args:
        processes: in the order of the page.
        cluster: None where Kafka says nothing.
        now: monotonic seconds.
        wall: seconds of the wall clock.
    """
    known = {process.last.info.get("client_id") for process in processes if process.last is not None}
    strangers = [each for each in cluster.members if each.client_id not in known] if cluster else []
    lines = [_worker_line(process, now, wall) for process in processes]
    for member in strangers:
        lag = sum(cluster.lag(place) for place in member.owns if place in cluster.ends) if cluster else None
        lines.append(WorkerLine(member.host, member.client_id, None, "no page", partitions=len(member.owns), lag=lag))
    return lines


def _worker_line(process: Process, now: float, wall: float) -> WorkerLine:
    last = process.last
    pid = last.info.get("pid", "") if last else ""
    client_id, number = (last.info.get("client_id", "") if last else ""), (int(pid) if pid.isdecimal() else None)
    if last is None or process.silence is not None:
        gone = process.silence is not None and process.silence.gone
        return WorkerLine(
            url=process.url,
            client_id=client_id,
            pid=number,
            state="gone" if gone else "silent",
            why=process.silence.why if process.silence else None,
            since_s=now - last.at if last else None,
        )
    work, gauges = process.work, last.gauges
    partitions = int(gauges.get("partitions", 0))
    return WorkerLine(
        url=process.url,
        client_id=client_id,
        pid=number,
        state="ready" if last.not_ready is None else "not ready",
        why=last.not_ready,
        version=last.info.get("version"),
        answered_per_s=rate([work]) if work else None,
        cpu=work.cpu_s / work.seconds if work and work.cpu_s is not None else None,
        memory_bytes=int(gauges["memory_bytes"]) if "memory_bytes" in gauges else None,
        partitions=partitions,
        lag=int(sum(last.lag.values())) if last.lag or not partitions else None,
        paused=bool(gauges.get("paused")),
        rebalances=int(gauges.get("epoch", 0)),
        uptime_s=max(0.0, wall - gauges["started"]) if "started" in gauges else None,
    )


def _running(processes: Iterable[Process]) -> list[Sample]:
    return [process.running for process in processes if process.running is not None]


def _versions(versions: Iterable[str]) -> tuple[str, ...]:
    """Return different versions in the order of their numbers."""
    return tuple(sorted(set(versions), key=lambda version: (len(version), version)))
