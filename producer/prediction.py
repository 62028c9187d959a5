"""What a call returns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from penstock.schemas import headers as h
from penstock.schemas.errors import ServiceError, TransportError
from penstock.schemas.replies import read_reply
from penstock.schemas.tensors import Array


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one request. Its outputs are arrays, by the names that the model gives them.

        prediction["label"]          # the same as prediction.outputs["label"]
        prediction.version           # of the model that ran
        prediction.source            # topic/partition/offset of the request

    Attributes:
        model, version: what ran.
        outputs: name -> array, shape and dtype as the service declared.
        id: the correlation id of the request.
        source: `topic/partition/offset` of the request, which identifies the answer for good.
        epoch: offset of the control command in force when it ran, -1 for none.
        index: the input's place, from `predict_many`; None otherwise.
    """

    model: str
    version: str | None
    outputs: dict[str, Array]
    id: str
    source: str
    epoch: int
    index: int | None = None

    def __repr__(self) -> str:
        shown = [f"{name}={_brief(array)}" for name, array in self.outputs.items()]
        return f"<Prediction of {self.model}@{self.version}: {', '.join(shown)}>"

    def __getitem__(self, name: str) -> Array:
        """Return an output by its name."""
        return self.outputs[name]


def _brief(array: Array) -> str:
    """Return an array on one line, and only the ends of a long one."""
    text = np.array2string(array, precision=4, threshold=12, edgeitems=2, max_line_width=10_000, separator=", ")
    return " ".join(text.split())


def read_prediction(
    value: bytes, headers: Mapping[str, bytes | None], correlation: bytes, index: int | None
) -> Prediction:
    """Read a reply.

    Args:
        value: the record's value.
        headers: the record's headers.
        correlation: the id of the call that it answers.
        index: the call's place in `predict_many`.

    Raises:
        ServiceError: it is an error reply.
        TransportError: it is no reply at all.
    """
    try:
        reply = read_reply(value)
    except ServiceError as error:
        after_ms = _number(headers.get(h.RETRY_AFTER_MS))
        error.retry_after_s = None if after_ms is None else after_ms / 1000
        raise
    except ValueError as error:
        raise TransportError(str(error)) from error
    return Prediction(
        reply.model,
        reply.version,
        reply.outputs,
        id=correlation.decode(),
        source=(headers.get(h.SOURCE) or b"").decode(errors="replace"),
        epoch=-1 if (epoch := _number(headers.get(h.EPOCH))) is None else epoch,
        index=index,
    )


def _number(value: bytes | None) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None
