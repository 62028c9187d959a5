"""What the page shows at one moment: figures alone, ready to be drawn or printed as JSON.

Rates are per second, over the last seconds; counts are from the start of the processes that run now. None is a figure
that nobody knows, or that does not exist because nothing happened.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Times:
    """Two quantiles of a time, in seconds."""

    p50_s: float | None = None
    p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole service.

    Attributes:
        answered, errors: requests; an error reply is an answer too.
        error_share: errors among the answers of the last seconds.
        lag: records that are not finished; of all partitions, or where Kafka says nothing of those that workers own.
        lag_per_s: how it changes.
        clears_s: when it will be gone, if it goes on as it does.
        arriving_per_s: records that are written to the request topics.
        queue, inference, publish: see `penstock_queue_seconds` and so on.
        batch_rows, batch_rows_p99: rows in one run of a model, the mean and what 99 % do not exceed.
        buffered_bytes, buffered_rows: in memory, of `max_bytes` and `max_rows`, in all processes.
        paused: processes that have stopped reading because a bound is reached.
        rebalances: assignments that a process has had, the most of any.
    """

    answered: int = 0
    answered_per_s: float | None = None
    errors: int = 0
    errors_per_s: float | None = None
    error_share: float | None = None
    lag: int | None = None
    lag_per_s: float | None = None
    clears_s: float | None = None
    arriving_per_s: float | None = None
    queue: Times = Times()
    inference: Times = Times()
    publish: Times = Times()
    batch_rows: float | None = None
    batch_rows_p99: float | None = None
    buffered_bytes: int | None = None
    buffered_rows: int | None = None
    max_bytes: int | None = None
    max_rows: int | None = None
    paused: int = 0
    rebalances: int = 0


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One error code, or one reason of dead letters."""

    code: str
    count: int
    per_s: float | None


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model.

    Attributes:
        name: empty for requests that failed before they had a model.
        serving: the version that answers requests which pin none; several where processes differ.
        versions: all that are loaded.
    """

    name: str
    serving: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    answered: int = 0
    answered_per_s: float | None = None
    errors_per_s: float | None = None
    error_share: float | None = None
    codes: tuple[CodeLine, ...] = ()
    batch_rows: float | None = None
    inference: Times = Times()


@dataclass(frozen=True, slots=True)
class LaneLine:
    """One request topic.

    Attributes:
        partitions: None where Kafka says nothing.
        owned: partitions that somebody serves.
        owners: members of the group that do.
    """

    topic: str
    partitions: int | None
    owned: int
    owners: int
    lag: int | None
    arriving_per_s: float | None = None
    finished_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """One worker process, or a member of the group whose page nobody has named.

    Attributes:
        url: of its page; of the other kind the host.
        state: ready, not ready, silent (nobody answers in time), gone (nobody listens), no page.
        why: why it is not ready.
        since_s: for how long it has been silent or gone; None where it never was heard of.
        cpu: share of one core.
        lag: of its own partitions.
        uptime_s: of the process.
    """

    url: str
    client_id: str
    pid: int | None
    state: str
    why: str | None = None
    since_s: float | None = None
    version: str | None = None
    answered_per_s: float | None = None
    cpu: float | None = None
    memory_bytes: int | None = None
    partitions: int | None = None
    lag: int | None = None
    paused: bool = False
    rebalances: int | None = None
    uptime_s: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """All of it.

    Attributes:
        time: of the wall clock, ISO 8601.
        window_s: what rates and quantiles are taken over.
        group: the consumer group.
        kafka: addresses of the cluster.
        kafka_problem: why Kafka says nothing; None when it does.
        group_state: of the group, as Kafka calls it.
        ready: processes that serve.
        uptime_s: of the process that runs longest.
        notes: what somebody should look at, one line each.
        rates, lags: of the last while, the newest last; for a chart.
    """

    time: str
    window_s: float
    group: str
    kafka: str
    kafka_problem: str | None = None
    group_state: str | None = None
    ready: int = 0
    uptime_s: float | None = None
    totals: Totals = Totals()
    models: tuple[ModelLine, ...] = ()
    lanes: tuple[LaneLine, ...] = ()
    workers: tuple[WorkerLine, ...] = ()
    errors: tuple[CodeLine, ...] = ()
    dead_letters: tuple[CodeLine, ...] = ()
    notes: tuple[str, ...] = ()
    rates: tuple[float, ...] = field(default=(), repr=False)
    lags: tuple[float, ...] = field(default=(), repr=False)


def as_document(view: View) -> dict[str, Any]:
    """Return the figures for a program: all but the charts."""
    document = asdict(view)
    del document["rates"], document["lags"]
    return document
