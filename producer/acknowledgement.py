"""What to say of a request that Kafka has not taken."""

from penstock.schemas.errors import TransportError


def refusal(error: Exception) -> TransportError:
    """Return the failure of a request that Kafka refused."""
    failure = TransportError(f"Kafka refused the request: {error!r}")
    failure.__cause__ = error
    return failure


def unacknowledged(requests: str, limit_s: float) -> str:
    """Say that requests, as `the request`, were not acknowledged in time, and what to do."""
    return (
        f"Kafka did not acknowledge {requests} within {limit_s:g} s. "
        "Is a broker reachable? `penstock doctor` finds out."
    )
