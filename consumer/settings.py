"""The worker's own section, and the root that puts all sections together."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from penstock.consumer.failure_cap.settings import FailureCapSettings
from penstock.consumer.lane_settings import TOPIC_GLOB, LaneSettings, check_topic
from penstock.consumer.suspects.journal_name import suspects_topic
from penstock.core.configuration import Settings, load
from penstock.core.settings import (
    BatchingSettings,
    HttpSettings,
    LimitsSettings,
    LogSettings,
    ModelsSettings,
    ServedModelsSettings,
)
from penstock.transport.control.settings import ControlSettings
from penstock.transport.settings import KafkaSettings


class WorkerSettings(FailureCapSettings, LaneSettings):
    """What a worker reads, where it answers, and how much it holds."""

    group_id: str = Field(min_length=1, max_length=249, description="Consumer group that shares the requests.")
    allowed_reply_topics: tuple[str, ...] = Field(
        default=(),
        description="Other topics a request may name for its reply; * and ? are allowed, as in replies.*.",
    )
    dead_letter_payload: Literal["keep", "omit"] = Field(
        default="keep", description="Whether dead letters hold the value of the request, or leave it where it lies."
    )
    delivery: Literal["at-least-once", "exactly-once"] = Field(
        default="at-least-once",
        description="exactly-once writes replies and offsets in transactions; needs Kafka 2.5, and costs some speed.",
    )
    transaction_timeout_s: float = Field(
        default=15.0,
        ge=5.0,  # a broker that elects a leader takes about that long
        le=900.0,  # the brokers' transaction.max.timeout.ms
        description="Seconds after which brokers abort a transaction that a dead worker left, with exactly-once.",
    )
    check_crcs: bool = Field(default=True, description="Verify the checksum of every batch that is read.")
    auto_offset_reset: Literal["earliest", "latest"] = Field(
        default="earliest", description="Where a group without committed offsets begins."
    )
    fetch_max_records: int = Field(
        default=2000, ge=1, le=100_000, description="The most records taken from the client at once."
    )
    session_timeout_s: float = Field(
        default=10.0,
        ge=1.0,
        le=1800.0,  # the broker's group.max.session.timeout.ms; its group.min.session.timeout.ms is 6 s
        description="Seconds without a heartbeat after which the group takes a worker for dead.",
    )
    heartbeat_interval_s: float = Field(
        default=0.5,
        ge=0.05,
        le=600.0,
        description="Seconds between heartbeats; also how soon a rebalance is noticed.",
    )
    drain_timeout_s: float = Field(
        default=5.0,
        ge=0.0,
        le=300.0,
        description="Seconds to finish what is in flight when partitions are revoked.",
    )
    shutdown_timeout_s: float = Field(
        default=30.0,
        ge=0.0,
        le=3600.0,
        description="Seconds to finish what is in flight when the worker stops.",
    )
    commit_interval_s: float = Field(
        default=0.1,
        ge=0.0,
        le=60.0,
        description="Seconds between commits. What lies between is repeated after a crash.",
    )
    stall_timeout_s: float = Field(
        default=30.0,
        ge=1.0,
        le=3600.0,
        description="Seconds after which reading or committing that stands still, although Kafka answers and there is "
        "work, is begun anew.",
    )
    blocked_exit_s: float = Field(
        default=120.0,
        ge=0.0,
        le=86_400.0,
        description="Seconds of a blocked event loop after which a worker process ends itself, to be started again; "
        "0 never.",
    )
    max_buffered_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024 * 1024,  # less than one record of Kafka's default size would stall
        description="Bytes of requests held; beyond it, reading pauses.",
    )
    max_buffered_rows: int = Field(
        default=50_000, ge=1, description="Rows of requests held; beyond it, reading pauses."
    )
    resume_fraction: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="Reading resumes when what is held falls to this part of the bounds.",
    )

    @field_validator("allowed_reply_topics")
    @classmethod
    def _allowed_topics(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            check_topic(pattern, TOPIC_GLOB)
        return patterns

    @field_validator("heartbeat_interval_s")
    @classmethod
    def _several_heartbeats(cls, interval_s: float, info: ValidationInfo) -> float:
        session_s = info.data.get("session_timeout_s")
        if session_s is not None and interval_s >= session_s / 3:
            # Kafka's own advice: two heartbeats may be lost before the session is.
            raise ValueError(f"must be less than a third of session_timeout_s, which is {session_s:g}")
        return interval_s

    def may_reply_to(self, topic: str) -> bool:
        """Tell whether a request may have its reply sent to a topic.

        A topic that this worker reads, or its dead-letter topic, is refused whatever the patterns say: a
        reply there would come back as a request, for ever.
        """
        own = (*map(self.dead_letter_topic_of, self.request_topics), suspects_topic(self.group_id))
        if topic in self.request_topics or topic in own:
            return False
        return topic == self.reply_topic or any(fnmatchcase(topic, glob) for glob in self.allowed_reply_topics)


class EmbeddedSettings(Settings):
    """All settings of a worker inside a program that has its own logs, and may bring models itself."""

    model_config = SettingsConfigDict(title="Penstock")

    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="The connection to the cluster.")
    worker: WorkerSettings = Field(description="What a worker reads, where it answers, and how much it holds.")
    models: ServedModelsSettings = Field(
        default_factory=ServedModelsSettings, description="Which models are served, and how they run."
    )
    batching: BatchingSettings = Field(default_factory=BatchingSettings, description="How requests are gathered.")
    limits: LimitsSettings = Field(default_factory=LimitsSettings, description="How large a request may be.")
    control: ControlSettings = Field(default_factory=ControlSettings, description="Who may say what serves.")
    http: HttpSettings = Field(default_factory=HttpSettings, description="Where health and metrics are served.")

    def may_reply_to(self, topic: str) -> bool:
        """Tell whether a request may have its reply sent to a topic: as the worker says, and never among commands."""
        control, group = self.control, self.worker.group_id
        taken = control.enabled and topic in (control.topic_of(group), control.status_topic_of(group))
        return not taken and self.worker.may_reply_to(topic)


class ServiceSettings(EmbeddedSettings):
    """All settings of `penstock worker`, in sections.

        settings = load_settings("penstock.toml")
        settings.worker.group_id, settings.batching.max_rows

    Built by hand, it reads nothing but its arguments; `load_settings` looks at the file and the environment.
    """

    models: ModelsSettings = Field(description="Which models are served, and how they run.")
    log: LogSettings = Field(default_factory=LogSettings, description="What is logged, and in which form.")


def load_settings(file: str | Path | None = None, **overrides: object) -> ServiceSettings:
    """Read the settings that `penstock worker` takes, for a worker inside another program.

        settings = load_settings("penstock.toml", batching__max_delay_s=0.005)
        async with Worker(settings=settings) as worker: ...

    Args:
        file: TOML; None takes the one that the variable PENSTOCK_CONFIG names, if any.
        **overrides: settings as `section__name`; they win over the PENSTOCK_ variables, which win over the file.

    Raises:
        ConfigurationError: one line for each fault, wherever it stands.
    """
    named = {name.replace("__", ".", 1): value for name, value in overrides.items()}
    return load(ServiceSettings, file=None if file is None else Path(file), overrides=named)


class ToolSettings(Settings):
    """The part of the settings that tools beside the worker need: none of them is required."""

    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="The connection to the cluster.")
    worker: LaneSettings = Field(default_factory=LaneSettings, description="Where requests come and replies go.")
    control: ControlSettings = Field(default_factory=ControlSettings, description="Who may say what serves.")
    http: HttpSettings = Field(default_factory=HttpSettings, description="Where health and metrics are served.")
