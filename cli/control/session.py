"""From the settings to the service that is commanded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.cli.options import tool_settings
from penstock.schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from penstock.cli.remedies import Own
    from penstock.consumer.settings import ToolSettings
    from penstock.producer.control.control import Control

_STEP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Session:
    """A service that can be commanded.

    Attributes:
        settings: of the service, as far as tools need them.
        group: its consumer group.
        own: the options that its commands share.
    """

    settings: "ToolSettings"
    group: str
    own: "Own"

    @property
    def topic(self) -> str:
        """The control topic."""
        return self.settings.control.topic_of(self.group)

    def control(self, timeout_s: float) -> "Control":
        """Return what gives orders and reads what became of them, not connected yet.

        Args:
            timeout_s: bound on each step; a longer one than `_STEP_S` is for the workers alone.

        Raises:
            ConfigurationError: a file of keys cannot be used.
        """
        from penstock.producer.control.control import Control

        control = self.settings.control
        return Control(
            None,
            self.group,
            kafka=self.settings.kafka,
            key=control.key,
            trusted_keys=control.trusted_keys,
            signing=control.signing,
            topic=control.topic,
            status_topic=control.status_topic,
            timeout_s=min(timeout_s, _STEP_S),
        )


def session(config: Path | None, bootstrap_servers: str | None, overrides: list[str] | None) -> Session:
    """Read the settings; for the arguments see `penstock.cli.options.tool_settings`.

    Raises:
        ConfigurationError: a fault, or control is not enabled.
    """
    from penstock.cli.remedies import Own

    settings = tool_settings(config, bootstrap_servers, overrides)
    group = settings.worker.group_id
    if group is None:
        raise ConfigurationError(
            "worker.group_id: required, to tell which service is meant.\n"
            "Set it as the workers have it: in penstock.toml, or with --set worker.group_id=NAME."
        )
    if not settings.control.enabled:
        raise ConfigurationError(
            f"control is not enabled, so that the workers of {group} follow no commands.\n"
            "Set control.enabled = true for them and here, make the topics (penstock topics create), and start them "
            "anew."
        )
    return Session(settings, group, Own(config, bootstrap_servers, overrides or ()))
