"""What a call looks like as a record, and which partition it goes to."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from aiokafka.partitioner import DefaultPartitioner

from penstock.schemas import headers as h
from penstock.schemas.datatypes import datatype_of
from penstock.schemas.errors import PenstockError
from penstock.schemas.headers import Header
from penstock.schemas.oip import encode_request

LONGEST_S: Final = 365 * 86_400  # of a timeout: clocks and headers take no infinity
_STICK: Final = 64  # requests without a key that go to one partition before the next has its turn
_partition_of_key: Final = DefaultPartitioner()


class PartitionChooser:
    """Chooses a request's partition: by its key as every Kafka client does, else each in turn.

    Args:
        partitions: how many there are.
    """

    def __init__(self, partitions: int) -> None:
        self._every = list(range(partitions))
        self._sent = 0

    def __repr__(self) -> str:
        return f"<PartitionChooser of {len(self._every)}>"

    def choose(self, key: bytes | None) -> int:
        """Return the partition of the next request."""
        if key is not None:
            if not isinstance(key, bytes):
                raise TypeError(f"a key is bytes or a string, not {key!r}")
            return int(_partition_of_key(key, self._every, self._every))
        self._sent += 1
        return self._sent // _STICK % len(self._every)


def encode_inputs(inputs: Any) -> bytes:
    """Encode what a caller gave as the value of a request.

    Args:
        inputs: an array-like for a model with one input, or array-likes by input name.

    Raises:
        ValueError: no rows, or NaN or infinity, which JSON cannot say.
        TypeError: a dtype that the protocol has not.
    """
    named = inputs if isinstance(inputs, Mapping) else {"": inputs}
    if not named:
        raise ValueError("no inputs were given")
    tensors: dict[str, Any] = {}
    for name, given in named.items():
        array = np.asarray(given)
        if array.ndim == 0 or array.size == 0:
            raise ValueError(f"an input has shape {list(array.shape)}: it needs rows")
        tensors[name] = (datatype_of(array.dtype), array)
    try:
        return encode_request(tensors)
    except PenstockError as error:
        raise ValueError(str(error)) from None


def request_headers(model: str | None, version: str | None, tenant: str | None, limit_s: float | None) -> list[Header]:
    """Return the headers that say what a call wants.

    Args:
        model: None leaves it to the service.
        version: None leaves it to the service.
        tenant: whose quota it counts against.
        limit_s: seconds after which nobody waits for the answer; None is never.

    Raises:
        TypeError: a name is no string.
    """
    headers: list[Header] = [] if limit_s is None else [(h.TIMEOUT_MS, str(max(1, int(limit_s * 1000))).encode())]
    for name, text in ((h.MODEL, model), (h.VERSION, version), (h.TENANT, tenant)):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{name.removeprefix('penstock-')} must be a string, not {text!r}")
        if text is not None:
            headers.append((name, text.encode()))
    return headers


def check_timeout(timeout_s: float) -> float:
    """Return a timeout that a call can have.

    Raises:
        ValueError: it is not a number of seconds above 0, up to a year.
    """
    if not isinstance(timeout_s, int | float) or not 0 < timeout_s <= LONGEST_S:
        raise ValueError(f"a timeout is a year at most, and a positive number of seconds, not {timeout_s!r}")
    return timeout_s
