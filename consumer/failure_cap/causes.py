"""Which failures a service causes itself, so that they count for its cap on failures. Pure.

What a client can bring about alone never counts: else anybody could stop a service by sending nonsense.
"""

from collections.abc import Iterable
from typing import Final

from penstock.consumer.pending import PendingRequest
from penstock.schemas.errors import ErrorCode

NO_REPLY: Final = ""
"""What stands in a model's place for requests that found no way to the service's own reply topic."""

_OWN: Final = frozenset({ErrorCode.MODEL_FAILED, ErrorCode.BAD_OUTPUT, ErrorCode.UNAVAILABLE})
_OF_REPLIES: Final = frozenset({ErrorCode.REPLY_FORBIDDEN, ErrorCode.REPLY_UNKNOWN})


def is_own(code: ErrorCode) -> bool:
    """Tell whether a request that was answered with an error failed by the service's fault."""
    return code in _OWN


def count_unanswerable(requests: Iterable[PendingRequest]) -> int:
    """Return how many of these dead letters there would not be if the service's own reply topic took replies.

    A topic that a request has named is its sender's affair.
    """
    return sum(
        request.error is not None and request.error.code in _OF_REPLIES and request.envelope.reply_topic is None
        for request in requests
    )
