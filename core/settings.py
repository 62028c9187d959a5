"""The sections of the settings that concern inference, logs and the worker's HTTP port."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from penstock.core.repository_location import Location
from penstock.schemas.limits import Limits

SECTION: Final = ConfigDict(
    frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, hide_input_in_errors=True
)

# What a request may name, see `penstock.schemas.envelope`: a model that no request can name is of no use.
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

_LIMITS: Final = Limits()
_REPOSITORY: Final = (
    "Models, laid out as <model>/<version>/model.onnx: a folder, or a URL such as s3://bucket/models "
    "of versions that `penstock model publish` has put there."
)


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no model name: up to 128 letters, digits, '.', '_', '-'; '.' and '-' not first")
    return name


class ServedModelsSettings(BaseModel):
    """Which models are served, and how they run. A program that embeds a worker may bring them itself."""

    model_config = SECTION

    repository: Location | None = Field(default=None, description=_REPOSITORY)
    load: tuple[str, ...] = Field(default=(), description="Models to serve; empty serves all of the repository.")
    default: str | None = Field(default=None, description="The model of a request that names none.")
    providers: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(
        default=("CPUExecutionProvider",),
        min_length=1,
        description="ONNX Runtime execution providers, the preferred first.",
    )
    intra_op_threads: int = Field(
        default=1,
        ge=1,  # 0 would let ONNX Runtime take every core, and Kafka's loop needs one
        le=256,
        description="Threads that share the work of one batch. One per process serves most models best.",
    )
    isolation: Literal["thread", "process"] = Field(
        default="thread",
        description="process runs each model in a process of its own: a request that kills it costs one restart of the "
        "model, and not the worker. A model's config.pbtxt wins.",
    )
    run_timeout_s: float = Field(
        default=60.0,
        ge=0.1,
        le=3600.0,
        description="Seconds after which a batch in a process of its own is given up, and the process killed.",
    )
    retry_budget_s: float = Field(
        default=30.0,
        ge=0.0,
        le=86_400.0,
        description="Seconds for which batches are tried again of a model that cannot answer for now: it raises "
        "TransientModelError, or its process cannot be started. Then they are answered UNAVAILABLE. 0 tries no more.",
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1,
        le=2**60,
        description="Bytes of model files in memory at most, where workers follow the control topic. What ran longest "
        "ago leaves first, and is loaded again when it is asked for.",
    )
    cache: Path | None = Field(
        default=None,
        description="Folder that keeps versions of a repository that is a URL; by default in the user's cache.",
    )
    cache_bytes: int = Field(
        default=20 * 2**30,
        ge=1,
        le=2**60,
        description="Bytes that it keeps. What was not used for longest goes first, what is in use never.",
    )

    @field_validator("load")
    @classmethod
    def _load_has_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            _check_name(name)
        return names

    @field_validator("default")
    @classmethod
    def _default_is_loaded(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None:
            return None
        load = info.data.get("load", ())
        if load and name not in load:
            raise ValueError(f"{name!r} is not one of the models in load: {', '.join(load)}")
        return _check_name(name)


class ModelsSettings(ServedModelsSettings):
    """Which models are served, and how they run."""

    repository: Location = Field(description=_REPOSITORY)


class BatchingSettings(BaseModel):
    """How requests are gathered into one run of the model."""

    model_config = SECTION

    max_rows: int = Field(
        default=512,
        ge=1,
        le=65_536,  # beyond it a batch only adds latency: no CPU model gets faster per row
        description="The most rows in one batch. A model's own bound, if lower, wins.",
    )
    quick_rows: int = Field(
        default=2048,
        ge=0,
        le=65_536,
        description="The same for a model that has run a full batch at 10 microseconds a row. 0 makes no difference.",
    )
    max_delay_s: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,  # longer than a rebalance is patient
        description="Seconds to wait for more rows while the model is idle. 0 answers at once.",
    )


class LimitsSettings(BaseModel):
    """How large and how deep a request may be before it is refused."""

    model_config = SECTION

    max_bytes: int = Field(
        default=_LIMITS.max_bytes,
        ge=1,
        le=2**31 - 1,
        description="Bytes of a request's value. A record has an int32.",
    )
    max_elements: int = Field(
        default=_LIMITS.max_elements, ge=1, le=2**31 - 1, description="Numbers or strings in one tensor."
    )
    max_depth: int = Field(
        default=_LIMITS.max_depth,
        ge=4,  # an inference request without nested data: object, inputs, input, data
        le=512,  # Python's own recursion limit is near
        description="Nesting of a request's JSON.",
    )
    max_headers: int = Field(default=_LIMITS.max_headers, ge=1, le=10_000, description="Headers of a request.")
    max_header_bytes: int = Field(
        default=_LIMITS.max_header_bytes, ge=256, le=2**24, description="Bytes of all header names and values together."
    )

    def to_limits(self) -> Limits:
        """Return the same bounds as the decoder takes them."""
        return Limits(**self.model_dump())


class HttpSettings(BaseModel):
    """Where health and metrics are served."""

    model_config = SECTION

    enabled: bool = Field(default=True, description="Serve health and metrics over HTTP.")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. In a container 0.0.0.0, for probes come from outside.",
    )
    port: int = Field(default=8090, ge=0, le=65_535, description="TCP port; 0 takes any free one.")


class LogSettings(BaseModel):
    """What is logged, and in which form."""

    model_config = SECTION

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe level that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console on a terminal, else json."
    )

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level
