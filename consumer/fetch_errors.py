"""What a failed fetch means: whether there is any use in trying again. Pure."""

from typing import Final

from aiokafka import errors as kafka_errors

from penstock.schemas.errors import TransportError

# What the group's coordinator will say again each time, until somebody changes a setting or a right.
_HOPELESS: Final = (
    kafka_errors.InvalidSessionTimeoutError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.TopicAuthorizationFailedError,
)


def hopeless(error: Exception) -> TransportError | None:
    """Return what to end with when trying again cannot help, else None."""
    if not isinstance(error, _HOPELESS):
        return None
    return TransportError(
        f"the group refuses this worker: {error!r}. Check worker.group_id and the rights on it, and "
        "worker.session_timeout_s, which the broker holds between 6 and 1800 seconds by default."
    )


def is_too_early(error: Exception) -> bool:
    """Tell whether aiokafka has looked for a position before the assignment has set one."""
    return isinstance(error, kafka_errors.NoOffsetForPartitionError)
