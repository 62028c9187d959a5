"""One look at one worker process: its metrics page, as figures with names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from penstock.cli.terminal import printable

_Labels = dict[str, str]
_Family = list[tuple[_Labels, float]]
_GAUGES: Final = {
    "buffered_bytes": "penstock_buffered_bytes",
    "buffered_rows": "penstock_buffered_rows",
    "max_bytes": "penstock_buffered_bytes_limit",
    "max_rows": "penstock_buffered_rows_limit",
    "paused": "penstock_paused",
    "partitions": "penstock_assigned_partitions",
    "epoch": "penstock_assignment_epoch",
    "cpu_s": "process_cpu_seconds_total",
    "memory_bytes": "process_resident_memory_bytes",
    "started": "process_start_time_seconds",
}


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations by size.

    Attributes:
        bounds: upper bounds of the buckets, ascending; the last is infinite.
        counts: observations up to each bound.
        sum: of all observations.
    """

    bounds: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    sum: float = 0.0

    @property
    def count(self) -> float:
        """All observations."""
        return self.counts[-1] if self.counts else 0.0


@dataclass(frozen=True, slots=True)
class Silence:
    """A worker process that was asked and gave no page.

    Attributes:
        url: of the process.
        at: monotonic seconds.
        why: for a person.
        gone: nobody listens there; otherwise somebody might, and does not answer.
    """

    url: str
    at: float
    why: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """What one worker process says of itself at one moment. Counters count from the start of the process.

    Attributes:
        url: of the process, without a path.
        at: when it was asked, monotonic seconds.
        not_ready: why it does not serve; None when it does.
        info: who it is; see `penstock_worker_info`.
        requests: answered ones by model and outcome; the model is empty where a request failed before it had one.
        dead_letters: by reason.
        batch_rows, inference: rows and seconds of a run, by model.
        queue, publish: seconds.
        lag: records, by topic and partition, of its own partitions.
        loaded: versions of each model.
        serving: the version of each model that answers requests which pin none.
        gauges: the other figures, by the short names of `_GAUGES`; what the page lacks is not there.
    """

    url: str
    at: float
    not_ready: str | None = None
    info: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[tuple[str, str], float] = field(default_factory=dict)
    dead_letters: Mapping[str, float] = field(default_factory=dict)
    batch_rows: Mapping[str, Histogram] = field(default_factory=dict)
    inference: Mapping[str, Histogram] = field(default_factory=dict)
    queue: Histogram = Histogram()
    publish: Histogram = Histogram()
    lag: Mapping[tuple[str, int], float] = field(default_factory=dict)
    loaded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    serving: Mapping[str, str] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, float]:
        """What another process at the same place does not share."""
        return self.info.get("client_id", ""), self.gauges.get("started", 0.0)


def read_sample(url: str, at: float, text: str, not_ready: str | None) -> Sample:
    """Read Prometheus' text.

    Raises:
        ValueError: it is none, or not a Penstock worker's.
    """
    families: dict[str, _Family] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: printable(value) for name, value in sample.labels.items()}
            families.setdefault(sample.name, []).append((labels, sample.value))
    if "penstock_worker_info" not in families:
        raise ValueError("not a Penstock worker's metrics")

    def of(name: str) -> _Family:
        return families.get(name, [])

    loaded: dict[str, tuple[str, ...]] = {}
    for labels, _ in of("penstock_model_loaded"):
        loaded[labels["model"]] = (*loaded.get(labels["model"], ()), labels["version"])
    return Sample(
        url=url,
        at=at,
        not_ready=None if not_ready is None else printable(not_ready),
        info=of("penstock_worker_info")[0][0],
        requests={(labels["model"], labels["outcome"]): value for labels, value in of("penstock_requests_total")},
        dead_letters={labels["reason"]: value for labels, value in of("penstock_dead_letters_total")},
        batch_rows=_histograms(families, "penstock_batch_rows"),
        inference=_histograms(families, "penstock_inference_seconds"),
        queue=_histograms(families, "penstock_queue_seconds").get("", Histogram()),
        publish=_histograms(families, "penstock_publish_seconds").get("", Histogram()),
        lag={(labels["topic"], int(labels["partition"])): value for labels, value in of("penstock_lag_records")},
        loaded=loaded,
        serving={labels["model"]: labels["version"] for labels, _ in of("penstock_model_serving")},
        gauges={short: of(name)[0][1] for short, name in _GAUGES.items() if of(name)},
    )


def _histograms(families: Mapping[str, _Family], name: str) -> dict[str, Histogram]:
    """Return the histograms of a metric by model; the name is empty for a metric without models."""
    sums = {labels.get("model", ""): value for labels, value in families.get(f"{name}_sum", [])}
    buckets: dict[str, list[tuple[float, float]]] = {}
    for labels, value in families.get(f"{name}_bucket", []):
        buckets.setdefault(labels.get("model", ""), []).append((float(labels["le"]), value))
    return {
        model: Histogram(tuple(bound for bound, _ in pairs), tuple(count for _, count in pairs), sums.get(model, 0.0))
        for model, pairs in ((model, sorted(pairs)) for model, pairs in buckets.items())
    }
