"""Where requests go and replies come, and what a reply says in its headers. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from penstock.producer.requests import request_headers
from penstock.schemas import headers as h
from penstock.schemas.errors import ServiceError
from penstock.schemas.headers import Header
from penstock.schemas.replies import read_reply


class Lane(NamedTuple):
    """Where requests go, where replies come, and what every request wants.

    Attributes:
        requests, replies: topics.
        model, version: which one; a version of None is whichever is deployed.
        timeout_s: after which a request counts as lost, and the service need not run it any more.
    """

    requests: str
    replies: str
    model: str
    version: str | None
    timeout_s: float

    def headers(self, reply_partition: int) -> list[Header]:
        """Return the headers of a request, but for its id: those that `penstock.Client` sends."""
        wanted = request_headers(self.model, self.version, None, self.timeout_s)
        place = str(reply_partition).encode()
        return [*wanted, (h.REPLY_TOPIC, self.replies.encode()), (h.REPLY_PARTITION, place)]


class Answered(NamedTuple):
    """A reply to a single request: which model ran, as `name@version`, or why none did."""

    model: str
    error: ServiceError | None


def answered(value: bytes | None, headers: Mapping[str, bytes | None]) -> Answered:
    """Read a reply. Of an answer, nothing but its headers."""
    if is_failure(headers):
        return Answered("", error_of(value, headers))
    return Answered((headers.get(h.MODEL) or b"").decode(errors="replace"), None)


def is_failure(headers: Mapping[str, bytes | None]) -> bool:
    """Tell whether a reply is an error, or a dead letter, where a topic of these is read."""
    return h.ERROR in headers or h.REASON in headers


def code_of(headers: Mapping[str, bytes | None]) -> str:
    """Return the code of an error reply, or the reason of a dead letter."""
    return (headers.get(h.ERROR) or headers.get(h.REASON) or b"UNKNOWN").decode(errors="replace")


def error_of(value: bytes | None, headers: Mapping[str, bytes | None]) -> ServiceError:
    """Read an error reply; a dead letter has no message."""
    try:
        read_reply(value or b"")
    except ServiceError as error:
        return error
    except ValueError:
        pass
    return ServiceError(code_of(headers), "no message came with it")
