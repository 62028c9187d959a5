"""What a row of the table of bad input is: a request as it is sent, and what must become of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

Headers = Sequence[tuple[str, bytes | None]]

GOOD = b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,0]}]}'
GOOD_ANSWER = (2.0, 4.0, 0.0)
RAW = ("content-type", b"application/octet-stream")


@dataclass(frozen=True)
class Request:
    """A record of the request topic.

    Attributes:
        value: its bytes.
        headers: its headers. `{replies}`, `{requests}` and `{group}` in a value stand for names of the lane.
        key: its key.
        stamp_ms: its timestamp; None is now.
        sent_s_ago: how long before now its timestamp is, where `stamp_ms` is None.
    """

    value: bytes | None = GOOD
    headers: Headers = ()
    key: bytes | None = b"k"
    stamp_ms: int | None = None
    sent_s_ago: float = 0.0


@dataclass(frozen=True)
class Error:
    """An error reply with a code. It goes to the service's own reply topic unless `other` says the other one."""

    code: str
    other: bool = False


@dataclass(frozen=True)
class Dead:
    """A dead letter with a reason; it holds the payload, or with `bare` the coordinates alone."""

    reason: str
    bare: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer: the elements of its first output, or the bytes of a raw one."""

    data: Sequence[Any] | bytes = GOOD_ANSWER


Outcome = Error | Dead | Answer


@dataclass(frozen=True)
class Row:
    """One case.

    Attributes:
        number: of the row of the table that it is a case of.
        words: what is wrong.
        request: what is sent.
        outcome: what becomes of it.
    """

    number: int
    words: str
    request: Request
    outcome: Outcome


def cases(rows: Sequence[Row]) -> pytest.MarkDecorator:
    """Run a test for each row; its name is the row's."""
    return pytest.mark.parametrize("row", rows, ids=[f"{row.number}: {row.words}" for row in rows])


def asking(**changes: Any) -> bytes:
    """The good request, its one input changed; `...` takes a member away."""
    tensor: dict[str, Any] = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 0], **changes}
    return inputs({name: value for name, value in tensor.items() if value is not ...})


def inputs(*tensors: dict[str, Any]) -> bytes:
    """A request of these inputs."""
    return orjson.dumps({"inputs": tensors})


def to(model: str, *more: tuple[str, bytes]) -> Headers:
    """Headers that name a model."""
    return (("penstock-model", model.encode()), *more)
