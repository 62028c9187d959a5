"""From rows to the value of a request: which datatype numbers are sent in, and what cannot be sent."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from penstock.cli.predict.rows import Block, InputError, Source
from penstock.producer.requests import encode_inputs
from penstock.schemas.datatype_mismatch import read_mismatch
from penstock.schemas.datatypes import DTYPES, Datatype, datatype_of
from penstock.schemas.errors import ServiceError
from penstock.schemas.tensors import Array


class Datatypes:
    """Which datatype the numbers of each input are sent in, where the input itself does not say.

    Nobody but the service knows what the model takes. So the first request is a guess, and what the service says
    to a wrong one is learned.

    Args:
        given: by the user, for every input; None learns.
        guess: the first one. FP64 is taken for FP32 too, but a worker reads numbers of its model's own datatype faster.
        learned: what is known already, by input.
    """

    def __init__(
        self,
        given: Datatype | None = None,
        guess: Datatype = "FP32",
        learned: Mapping[str, Datatype] = MappingProxyType({}),
    ) -> None:
        self.given = given
        self._guess = guess
        self._learned = dict(learned)

    def of(self, name: str, own: Datatype | None = None) -> Datatype:
        """Return the datatype for the numbers of an input, which may have one of their own."""
        return self.given or self._learned.get(name) or own or self._guess

    def learn(self, error: ServiceError, block: Block) -> bool:
        """Take in what the service said to a request; True when another try with it makes sense."""
        said = read_mismatch(error.message)
        if said is None or self.given is not None or block.body is not None:
            return False
        name, datatype = said
        if name not in block.inputs and list(block.inputs) == [""]:
            name = ""
        if name not in block.inputs or self._learned.get(name) == datatype or datatype == "BYTES":
            return False
        self._learned[name] = datatype
        return True


def encode(source: Source, block: Block, datatypes: Datatypes) -> bytes:
    """Return the value of the request that a block makes.

    Raises:
        InputError: something in it cannot be sent; with its place.
    """
    if block.body is not None:
        return block.body
    arrays = arrays_of(source, block, datatypes)
    try:
        return encode_inputs(arrays)
    except (ValueError, TypeError) as error:
        raise _unsayable(source, block, arrays, error) from None


def arrays_of(source: Source, block: Block, datatypes: Datatypes) -> dict[str, Array]:
    """Return a block's inputs as arrays.

    Raises:
        InputError: something in it is no number, or does not fit its datatype.
    """
    return {name: _array(source, block, name, rows, datatypes) for name, rows in block.inputs.items()}


def _array(source: Source, block: Block, name: str, rows: Any, datatypes: Datatypes) -> Array:
    if isinstance(rows, np.ndarray):
        if rows.dtype.kind not in "biuf":
            return rows
        own = datatype_of(rows.dtype)
        datatype = datatypes.of(name, own)
        return rows if datatype == own else _cast(source, block, name, rows, datatype)
    try:
        elements = np.array(rows, dtype=object)
    except ValueError:
        raise source.fault("rows that differ in length cannot be one request", block.place(0)) from None
    kinds = set(map(type, elements.flat))
    if kinds == {str}:
        return elements
    if kinds == {bool}:
        return elements.astype(bool)
    if not kinds <= {int, float}:
        raise _odd(source, block, name, elements)
    try:
        return _cast(source, block, name, np.array(rows), datatypes.of(name))
    except (OverflowError, TypeError):  # whole numbers beyond 64 bits
        raise source.fault(f"a number does not fit {datatypes.of(name)}", block.place(0)) from None


def _cast(source: Source, block: Block, name: str, numbers: Array, datatype: Datatype) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        made = numbers.astype(DTYPES[datatype])
    # A float only gets rounded; into anything else, a number must fit as it is.
    wrong = np.isinf(made) if made.dtype.kind == "f" else made != numbers
    if made.dtype.kind == "f" and numbers.dtype.kind == "f":
        wrong &= np.isfinite(numbers)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        message = f"{numbers[tuple(place)]} does not fit {datatype}"
        raise source.fault(message, _element(source, block, name, place, numbers.shape))
    return made


def _odd(source: Source, block: Block, name: str, elements: Array) -> InputError:
    kinds = [type(element) for element in elements.flat]
    flat = next(place for place, kind in enumerate(kinds) if kind not in (int, float))
    place = np.array(np.unravel_index(flat, elements.shape))
    shown = "null" if elements.flat[flat] is None else repr(elements.flat[flat])[:40]
    if isinstance(elements.flat[flat], list):
        return source.fault("rows that differ in length cannot be one request", block.place(0))
    return source.fault(f"{shown} is not a number", _element(source, block, name, place, elements.shape))


def _unsayable(source: Source, block: Block, arrays: Mapping[str, Array], error: Exception) -> InputError:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = np.argwhere(~np.isfinite(array))[0]
            message = f"{array[tuple(place)]} is not finite; JSON, which carries it, can say only finite numbers"
            return source.fault(message, _element(source, block, name, place, array.shape))
    return source.fault(str(error), block.place(0))


def _element(source: Source, block: Block, name: str, place: Array, shape: tuple[int, ...]) -> str:
    """Return where an element stands, as in `line 7, column age`."""
    where = block.place(int(place[0]))
    if len(shape) == 1:
        return where
    if source.by_column:
        return f"{where}, column {name}"
    flat = int(np.ravel_multi_index(tuple(place[1:]), shape[1:]))
    if name == "" and len(source.columns) == shape[1] and len(shape) == 2:
        return f"{where}, column {source.columns[flat]}"
    return f"{where}{f', input {name}' if name else ''}, element {flat + 1}"


def datatype_named(text: str) -> Datatype:
    """Return the numeric datatype called `float32` by numpy or `FP32` by the protocol.

    Raises:
        ValueError: there is none.
    """
    try:
        found = cast("Datatype", text.upper()) if text.upper() in DTYPES else datatype_of(text)
    except TypeError:
        found = "BYTES"
    if found == "BYTES":
        raise ValueError(f"{text!r} is no datatype of numbers; float32, float64 and int64 are some")
    return found
