"""Every metric of a worker, in one closed list."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from penstock.core.distribution import installed_version

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DIFFERENCES = tuple(10.0**power for power in range(-9, 4))
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Metrics:
    """The metrics of one worker process, in a registry of their own. Updated per batch, never per request."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        # Requests answered: outcome is "ok" or an error code. The rate of the service.
        self.requests = Counter("penstock_requests", "Requests answered", ["model", "outcome"], registry=r)
        # Records that could not even be answered, by reason.
        self.dead_letters = Counter("penstock_dead_letters", "Dead letters written", ["reason"], registry=r)
        # Records passed over after a restart, because the committed state said they were finished.
        self.skipped = Counter("penstock_skipped", "Records finished before a restart", registry=r)
        # How full batches are: the measure of whether batching works.
        self.batch_rows = Histogram("penstock_batch_rows", "Rows per batch", ["model"], buckets=_ROWS, registry=r)
        # Arrival of a batch's oldest request -> the model starts. Grows with load; the model is not to blame.
        self.queue_seconds = Histogram(
            "penstock_queue_seconds", "Wait of a batch's oldest request", buckets=_SECONDS, registry=r
        )
        # The model alone.
        self.inference_seconds = Histogram(
            "penstock_inference_seconds", "Time of one model run", ["model"], buckets=_SECONDS, registry=r
        )
        # A record batch of replies handed over -> acknowledged by Kafka.
        self.publish_seconds = Histogram(
            "penstock_publish_seconds", "Publish to acknowledgement", buckets=_SECONDS, registry=r
        )
        # Offset commits by outcome: ok, rejected (the group has moved on), failed (retried).
        self.commits = Counter("penstock_commits", "Offset commits", ["outcome"], registry=r)
        # With exactly-once delivery, by outcome: committed, aborted (its outcomes go into the next one), fenced (the
        # partition is another worker's by now).
        self.transactions = Counter("penstock_transactions", "Transactions", ["outcome"], registry=r)
        # The begin of a transaction -> its commit is acknowledged.
        self.transaction_seconds = Histogram(
            "penstock_transaction_seconds", "Time of one transaction", buckets=_SECONDS, registry=r
        )
        # What is in memory between fetch and acknowledgement, against its bounds.
        self.buffered_bytes = Gauge("penstock_buffered_bytes", "Bytes of requests not yet finished", registry=r)
        self.buffered_rows = Gauge("penstock_buffered_rows", "Rows not yet finished", registry=r)
        self.max_bytes = Gauge("penstock_buffered_bytes_limit", "Bytes at which fetching is paused", registry=r)
        self.max_rows = Gauge("penstock_buffered_rows_limit", "Rows at which fetching is paused", registry=r)
        # 1 while fetching is held because a bound is reached.
        self.paused = Gauge("penstock_paused", "Whether fetching is paused by back-pressure", registry=r)
        # 1 while next to nothing is fetched because nearly all requests of a model fail, and how often that began.
        self.failure_cap = Gauge("penstock_failure_cap", "Whether fetching is held for failures", registry=r)
        self.failure_cap_trips = Counter(
            "penstock_failure_cap_trips", "Times that fetching was held for failures", ["model"], registry=r
        )
        # Requests over a throttle's rate, when they came, by the kind of its scope: delayed or refused.
        self.throttled = Counter("penstock_throttled", "Requests over a rate", ["scope", "outcome"], registry=r)
        # What throttles of tenants and models hold back now.
        self.delayed_requests = Gauge("penstock_delayed_requests", "Requests held back by throttles", registry=r)
        self.delayed_bytes = Gauge("penstock_delayed_bytes", "Bytes of requests held back by throttles", registry=r)
        # Membership in the group.
        self.partitions = Gauge("penstock_assigned_partitions", "Partitions assigned and open", registry=r)
        # Grows with each assignment: a rebalance storm is a steep line.
        self.epoch = Gauge("penstock_assignment_epoch", "Assignments received since the start", registry=r)
        # What stood still although it should have moved (reading, committing, membership), and what was begun anew.
        self.stalls = Counter("penstock_stalls", "Parts that stood still", ["part"], registry=r)
        self.restarts = Counter("penstock_restarts", "Restarts of the pipeline in its process", registry=r)
        self.loop_blocks = Counter("penstock_loop_blocks", "Times that the event loop was blocked", registry=r)
        # Requests that Kafka has lost before they were served: removed by retention, or cut off from the log's end.
        self.lost = Counter("penstock_lost_requests", "Requests lost before they were served", ["why"], registry=r)
        # Records in the log that are not finished yet, per partition.
        self.lag = Gauge("penstock_lag_records", "End offset minus next offset", ["topic", "partition"], registry=r)
        self._by_model: dict[str, tuple[Histogram, Histogram]] = {}
        # Which versions are loaded.
        self.models = Gauge("penstock_model_loaded", "Loaded model versions", ["model", "version"], registry=r)
        # Which of them answers a request that pins none.
        self.serving = Gauge("penstock_model_serving", "Serving model versions", ["model", "version"], registry=r)
        # Copies of requests that a shadow has answered: outcome is "ok", an error code, or "unfit", counted once, of
        # one that takes other inputs than the live version.
        whose = ["model", "version"]
        self.shadow_requests = Counter(
            "penstock_shadow_requests", "Copies answered by a shadow", [*whose, "outcome"], registry=r
        )
        # Copies without an answer: the shadow was behind (busy) or ended (stopped), or Kafka took none (unpublished).
        self.shadow_dropped = Counter("penstock_shadow_dropped", "Copies dropped", [*whose, "reason"], registry=r)
        # The shadow's model alone.
        self.shadow_seconds = Histogram(
            "penstock_shadow_seconds", "Time of one run of a shadow", whose, buckets=_SECONDS, registry=r
        )
        # Rows whose first output was a label, by whether the live version gave the same one.
        self.shadow_compared = Counter(
            "penstock_shadow_compared_rows", "Labels compared with the live ones", [*whose, "verdict"], registry=r
        )
        # Where it was of floats: the largest absolute difference in each batch.
        self.shadow_difference = Histogram(
            "penstock_shadow_difference",
            "Largest difference from the live one",
            whose,
            buckets=_DIFFERENCES,
            registry=r,
        )
        # Offset of the last control command that was read; -1 before the first, or where none are followed.
        self.control_epoch = Gauge("penstock_control_epoch", "Offset of the last control command read", registry=r)
        self.control_epoch.set(-1)
        # Grows while the control topic cannot be reached: what serves is what was wanted then.
        self.control_lag = Gauge(
            "penstock_control_lag_seconds", "Seconds since all control commands were known to be read", registry=r
        )
        # Control records by outcome: accepted, or refused.
        self.commands = Counter("penstock_control_commands", "Control commands read", ["outcome"], registry=r)
        # Accepted, and what this worker cannot do; what served before goes on.
        self.control_failed = Gauge("penstock_control_failed", "Deployments that cannot be followed", registry=r)
        # Of their files, where commands are followed.
        self.model_bytes = Gauge("penstock_model_bytes", "Bytes of all versions in memory", registry=r)
        # Which worker this is and where it works: constant for a process, and no secret among it.
        self.info = Info("penstock_worker", "Which worker this is, and where it works", registry=r)
        # process_cpu_seconds_total and the like, read from /proc when they are asked for; on Linux alone.
        ProcessCollector(registry=r)

    def describe(self, **labels: object) -> None:
        """Say, once, which worker this is; Penstock's version is added."""
        described = {name: str(value) for name, value in labels.items()}
        self.info.info({"version": installed_version(), **described})

    def observe_batch(self, model: str, rows: int, waited_s: float, ran_s: float) -> None:
        """Count a batch that has run."""
        children = self._by_model.get(model)
        if children is None:  # looking labels up takes longer than counting
            children = self.batch_rows.labels(model), self.inference_seconds.labels(model)
            self._by_model[model] = children
        children[0].observe(rows)
        children[1].observe(ran_s)
        self.queue_seconds.observe(waited_s)
