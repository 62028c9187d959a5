"""The topics of control: which a service has, and what each is for. Pure."""

from enum import StrEnum

from penstock.consumer.lane_settings import LaneSettings
from penstock.schemas.errors import ConfigurationError
from penstock.transport.control.settings import ControlSettings


class ControlRole(StrEnum):
    """What the topics of control are for."""

    COMMANDS = "commands"
    STATUS = "status"


def control_roles(lane: LaneSettings, control: ControlSettings) -> dict[str, ControlRole]:
    """Return the topics of control, by name; none where control is off.

    Raises:
        ConfigurationError: their names are those of the group, and there is none.
    """
    if not control.enabled:
        return {}
    if lane.group_id is None and not (control.topic and control.status_topic):
        raise ConfigurationError(
            "worker.group_id: required, because control is on and its topics are named after the group"
        )
    group = lane.group_id or ""
    return {control.topic_of(group): ControlRole.COMMANDS, control.status_topic_of(group): ControlRole.STATUS}
