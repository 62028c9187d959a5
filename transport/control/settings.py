"""The settings of control: who may say what serves, and where it is said."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from penstock.schemas.errors import ConfigurationError

_SECTION: Final = ConfigDict(
    frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, hide_input_in_errors=True
)
_TOPIC_NAME: Final = r"^[a-zA-Z0-9._-]{1,249}$"
_Topic = Annotated[str, StringConstraints(pattern=_TOPIC_NAME)]


class ControlSettings(BaseModel):
    """Who may say what serves while it serves, and where. A worker and those who command it must agree on it."""

    model_config = _SECTION

    enabled: bool = Field(default=False, description="Whether workers follow the control topic.")
    topic: _Topic | None = Field(
        default=None, description="Topic of the commands; by default the group's name with -control."
    )
    status_topic: _Topic | None = Field(
        default=None, description="Topic where workers say what they do; by default the group's name with -status."
    )
    signing: Literal["required", "off"] = Field(
        default="required", description="off takes orders from whoever may write to the topic."
    )
    trusted_keys: Path | None = Field(
        default=None, description="TOML file of the public keys that may sign commands from the beginning."
    )
    key: Path | None = Field(
        default=None, description="File of the private key that `penstock deploy` and the like use."
    )
    start_timeout_s: float = Field(
        default=30.0, ge=1.0, le=3600.0, description="Seconds to read the control topic before the worker gives up."
    )
    load_timeout_s: float = Field(
        default=300.0,
        ge=1.0,
        le=86_400.0,
        description="Seconds in which a commanded version must be loaded and tested; then it is failed, and the next "
        "one's turn comes. Nothing can end what hangs; where 8 do, none is begun until the worker is restarted.",
    )
    report_interval_s: float = Field(
        default=1.0, ge=0.1, le=60.0, description="Seconds between a worker's reports on the status topic."
    )
    max_delayed_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=0,
        description="Bytes of requests that throttles may hold back; what is beyond is answered THROTTLED.",
    )

    def topic_of(self, group: str) -> str:
        """Return the control topic of a group. Raises: ConfigurationError (the group's name cannot be a topic's)."""
        return self.topic or _named_after(group, "control", "topic")

    def status_topic_of(self, group: str) -> str:
        """Return the status topic of a group. Raises: ConfigurationError (the group's name cannot be a topic's)."""
        return self.status_topic or _named_after(group, "status", "status_topic")


def _named_after(group: str, ending: str, setting: str) -> str:
    name = f"{group}-{ending}"
    # A group may be called anything.
    if not re.fullmatch(_TOPIC_NAME, name):
        raise ConfigurationError(
            f"group {group[:64]!r} cannot give its name to a topic, {name[:64]!r}: letters, digits, '.', '_' and '-' "
            f"are allowed, 249 at most.\nName the topic: control.{setting}."
        )
    return name
