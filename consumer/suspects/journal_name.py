"""The name of the topic on which supervisors say what a dead process ran."""

import re
from typing import Final

_ILLEGAL: Final = re.compile(r"[^a-zA-Z0-9._-]")
_LONGEST: Final = 240  # with the ending no longer than a topic's name may be


def suspects_topic(group: str) -> str:
    """Return the topic of a group, which may be called anything."""
    return f"{_ILLEGAL.sub('_', group)[:_LONGEST]}-suspects"
