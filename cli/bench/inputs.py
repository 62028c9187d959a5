"""What is asked: requests encoded beforehand, from a file's rows or from rows made up after a model's signature."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

import numpy as np
import typer

from penstock.cli.predict.answers import Failure
from penstock.cli.predict.failures import remedy
from penstock.cli.predict.numbers import Datatypes, arrays_of, encode
from penstock.cli.predict.rows import Block, Source, grouped
from penstock.core.model import Signature
from penstock.schemas.datatypes import DTYPES, datatype_of
from penstock.schemas.errors import ServiceError
from penstock.schemas.oip import encode_request
from penstock.schemas.tensors import Array

_MOST: Final = 1000  # different requests; they are sent again and again
_MOST_BYTES: Final = 64 * 1024 * 1024  # of all of them
_MOST_ELEMENTS: Final = 2_000_000  # that are made up
_MADE_UP: Final = "The rows are made up from the model's signature; --rows FILE sends your own."


@dataclass(frozen=True, slots=True)
class Pool:
    """Requests that are sent again and again.

    Attributes:
        values: of the records.
        rows: in a request, on average.
        raw: whether they are raw tensors in place of JSON.
        origin: where the rows come from, for people.
    """

    values: tuple[bytes, ...]
    rows: float
    raw: bool
    origin: str

    @property
    def value_bytes(self) -> float:
        """The mean size of a value."""
        return sum(map(len, self.values)) / len(self.values)


class Inputs(Protocol):
    """Rows that can become requests."""

    def first(self) -> bytes:
        """Return the first request, in JSON."""
        ...

    def learn(self, error: ServiceError) -> bool:
        """Take in what the service said to it; True when another try makes sense."""
        ...

    def pool(self, *, raw: bool) -> Pool:
        """Encode all requests. Raises: typer.BadParameter (there is no such form of them)."""
        ...

    def advice(self, error: ServiceError, model: str) -> str:
        """Say what to do about an error that the first request got."""
        ...


class FileInputs:
    """The first rows of a file.

    Args:
        source: opened.
        rows: in a request; a last one with fewer is left out.
        datatypes: of the numbers.

    Raises:
        InputError: it holds no rows, or what is none.
    """

    def __init__(self, source: Source, rows: int, datatypes: Datatypes) -> None:
        self._source = source
        self._datatypes = datatypes
        blocks = list(islice(grouped(source.blocks, rows), _MOST))
        if not blocks:
            raise source.fault("no rows")
        whole = [block for block in blocks if len(block) == rows or block.body is not None]
        if not whole:
            raise source.fault(f"{len(blocks[0])} rows are too few for --rows-per-request {rows}")
        self._blocks = whole

    def first(self) -> bytes:
        """Return the first request, in JSON. Raises: InputError."""
        return encode(self._source, self._blocks[0], self._datatypes)

    def learn(self, error: ServiceError) -> bool:
        """Learn the datatype that the service wants."""
        return self._datatypes.learn(error, self._blocks[0])

    def pool(self, *, raw: bool) -> Pool:
        """Encode all requests. Raises: InputError, typer.BadParameter."""
        values: list[bytes] = []
        rows = size = 0
        for block in self._blocks:
            values.append(self._raw(block) if raw else encode(self._source, block, self._datatypes))
            rows, size = rows + len(block), size + len(values[-1])
            if size > _MOST_BYTES:
                break
        return Pool(tuple(values), rows / len(values), raw, f"rows of {self._source.name}")

    def advice(self, error: ServiceError, model: str) -> str:
        """Return the remedy that `penstock predict` knows."""
        return remedy(Failure.of(error), model, self._source)

    def _raw(self, block: Block) -> bytes:
        if block.body is not None:
            raise typer.BadParameter(f"{self._source.name} holds whole requests in JSON", param_hint="--raw")
        return raw_value(arrays_of(self._source, block, self._datatypes))


class MadeUpInputs:
    """Rows drawn after a model's signature: floats around 0, whole numbers 0 and 1, strings of one letter.

    Args:
        signature: what the model takes.
        rows: in a request, where the model is batched.
        made: rows of each input, shape [requests * rows, ...] where the model is batched, else one tensor.
    """

    def __init__(self, signature: Signature, rows: int, made: Mapping[str, Array]) -> None:
        self._datatypes = {spec.name: spec.datatype for spec in signature.inputs}
        self._requests: list[dict[str, Array]] = [dict(made)]
        self._rows = rows
        if signature.batched:
            count = len(next(iter(made.values()))) // rows
            cuts = (slice(place * rows, (place + 1) * rows) for place in range(count))
            self._requests = [{name: array[cut] for name, array in made.items()} for cut in cuts]

    def first(self) -> bytes:
        """Return the first request, in JSON."""
        return self._json(self._requests[0])

    def learn(self, error: ServiceError) -> bool:
        """Learn nothing: the signature said it all."""
        return False

    def pool(self, *, raw: bool) -> Pool:
        """Encode all requests. Raises: typer.BadParameter."""
        values = tuple(raw_value(each) if raw else self._json(each) for each in self._requests)
        return Pool(values, self._rows, raw, "rows made up from the model's signature")

    def advice(self, error: ServiceError, model: str) -> str:
        """Say that these rows are made up."""
        return _MADE_UP

    def _json(self, arrays: Mapping[str, Array]) -> bytes:
        return encode_request({name: (self._datatypes[name], array) for name, array in arrays.items()})


def requests_made_up(signature: Signature, rows: int) -> int:
    """Return how many different requests are made up: fewer where they are large."""
    elements = sum(math.prod(map(abs, spec.shape)) for spec in signature.inputs) * rows
    return max(1, min(_MOST, _MOST_ELEMENTS // max(1, elements)))


def raw_value(arrays: Mapping[str, Array]) -> bytes:
    """Return the raw form of a request: the little-endian bytes of its one tensor.

    Raises:
        typer.BadParameter: there is none, for several inputs and for strings.
    """
    tensors: Sequence[Any] = list(arrays.values())
    if len(tensors) != 1:
        raise typer.BadParameter("has no form for several inputs; leave it out", param_hint="--raw")
    datatype = datatype_of(tensors[0].dtype)
    if datatype == "BYTES":
        raise typer.BadParameter("has no form for strings; leave it out", param_hint="--raw")
    return np.ascontiguousarray(tensors[0], dtype=DTYPES[datatype]).tobytes()
