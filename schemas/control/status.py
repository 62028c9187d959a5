"""What a worker says of itself on the status topic: which commands it has read, and what became of them.

One record each interval and after each change, with the worker's id as its key. The last word of a worker that stops is
`stopped`; one that says nothing for three intervals is gone.
"""

from typing import Annotated, Final, Literal

import orjson
from pydantic import BaseModel, Field, ValidationError

from penstock.schemas.control.specs import STRICT

STATUS_V1: Final = "status/1"
INTERVALS_UNTIL_GONE: Final = 3

Offset = Annotated[int, Field(ge=-1, le=2**63 - 1)]


class Refused(BaseModel):
    """A command that changed nothing, on any worker that reads it."""

    model_config = STRICT

    offset: Offset = Field(description="Its place in the control topic.")
    id: str = Field(default="", description="Of the command; empty where it could not be read.")
    resource: str = Field(default="", description="What it was about; empty where it could not be read.")
    code: str = Field(description="One of `RefusalCode`.")
    reason: str = Field(description="For the person who issued it.")


class Failed(BaseModel):
    """A command that was accepted, and that this worker could not follow; what served before goes on."""

    model_config = STRICT

    offset: Offset = Field(description="Of the command.")
    resource: str = Field(description="What it is about.")
    reason: str = Field(description="For an operator.")


class LoadedVersion(BaseModel):
    """A version of a model on this worker."""

    model_config = STRICT

    model: str
    version: str
    state: Literal["loading", "serving", "standby", "shadow", "evicted"] = Field(
        description="standby answers who asks for it by name; evicted is loaded again on demand."
    )
    share: float = Field(default=0.0, ge=0.0, le=1.0, description="Its part of the traffic that pins no version.")
    bytes: int = Field(default=0, ge=0, description="Of its files; what it takes in memory is near.")


class Demand(BaseModel):
    """How much of a throttle's scope has come to this worker lately, and what it has let through."""

    model_config = STRICT

    rows_per_s: float = Field(ge=0.0, description="Rows that asked, those that wait and those refused included.")
    granted_per_s: float = Field(ge=0.0, description="The worker's present share of the rate.")
    waiting: int = Field(default=0, ge=0, description="Requests held back.")


class WorkerStatus(BaseModel):
    """One worker, now."""

    model_config = STRICT

    penstock: Literal["status/1"] = STATUS_V1
    worker: str = Field(min_length=1, max_length=249, description="Its client id, by which the group knows it too.")
    started: int = Field(ge=0, description="When the process began, epoch milliseconds; tells it from a predecessor.")
    time: int = Field(ge=0, description="Now, epoch milliseconds.")
    interval_s: float = Field(gt=0.0, description="The next word comes within this time.")
    state: str = Field(description="starting, running, draining or stopped.")
    epoch: Offset = Field(description="Offset of the last control command that it has read; -1 before the first.")
    digest: str = Field(description="Of the wanted state: equal on all workers that have read as far.")
    pending: tuple[str, ...] = Field(default=(), strict=False, description="Resources that it is still working on.")
    refused: tuple[Refused, ...] = Field(default=(), strict=False, description="The last few.")
    failed: tuple[Failed, ...] = Field(default=(), strict=False, description="What it could not follow.")
    versions: tuple[LoadedVersion, ...] = Field(default=(), strict=False, description="Loaded, or to be loaded.")
    model_bytes: int = Field(default=0, ge=0, description="Of all loaded versions.")
    rss_bytes: int = Field(default=0, ge=0, description="Resident memory of the process.")
    partitions: int = Field(default=0, ge=0, description="Assigned and open.")
    demand: dict[str, Demand] = Field(
        default={}, description="By the scope of each throttle in force; where many are idle, those are left out."
    )
    lanes: dict[str, str] = Field(default={}, description="Request topics that are not running, and what they are.")

    def encode(self) -> bytes:
        """Return the value of its record."""
        return orjson.dumps(self.model_dump())


def decode_status(value: bytes | None) -> WorkerStatus | None:
    """Read a record of the status topic; None where it is none of ours."""
    try:
        return WorkerStatus.model_validate(orjson.loads(value or b"null"))
    except (orjson.JSONDecodeError, ValidationError):
        return None
