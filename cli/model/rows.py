"""Rows to try a model on: made up after its signature, or from a file."""

from pathlib import Path
from typing import Final

import numpy as np

from penstock.cli.predict.choice import CsvChoice
from penstock.cli.predict.numbers import Datatypes, arrays_of
from penstock.cli.predict.rows import grouped
from penstock.cli.predict.source import open_source
from penstock.core.binding import bind
from penstock.core.model import Array, Signature, Tensors
from penstock.schemas.datatypes import DTYPES, datatype_of
from penstock.schemas.oip import InferRequest, InputTensor

MOST: Final = 64  # rows that are read from a file
_SEED: Final = 7


def made_up(signature: Signature, rows: int) -> dict[str, Array]:
    """Make rows that differ, the same ones on every call. A free dimension gets the length 1.

    Floats are drawn around 0, whole numbers are 0 or 1, which most models can look up, and strings single letters.
    """
    draw = np.random.default_rng(_SEED)
    made: dict[str, Array] = {}
    for spec in signature.inputs:
        shape = tuple(1 if dim < 0 else dim for dim in spec.shape)
        full = (rows, *shape) if signature.batched else shape
        if spec.datatype == "BYTES":
            made[spec.name] = draw.choice(np.array(["a", "b", "c"], dtype=object), size=full)
        elif DTYPES[spec.datatype].kind == "f":
            made[spec.name] = draw.normal(size=full).astype(DTYPES[spec.datatype])
        else:
            made[spec.name] = draw.integers(0, 2, size=full).astype(DTYPES[spec.datatype])
    return made


def from_file(path: Path, signature: Signature, skip: tuple[str, ...]) -> dict[str, Array]:
    """Read the first rows of a file in one of the formats of `penstock predict`, at most `MOST`.

    Raises:
        InputError: the file cannot be read, or a number in it is none.
        RequestError: the rows are not what the model takes.
    """
    source = open_source(str(path), None, CsvChoice(skip=skip))
    block = next(grouped(source.blocks, MOST), None)
    if block is None:
        raise source.fault("no rows")
    if block.body is not None:
        raise source.fault("holds whole requests; rows are wanted here")
    wanted = {spec.name: spec.datatype for spec in signature.inputs}
    if len(wanted) == 1:
        wanted[""] = next(iter(wanted.values()))
    arrays = arrays_of(source, block, Datatypes(learned=wanted))
    tensors = tuple(InputTensor(name, datatype_of(array.dtype), array) for name, array in arrays.items())
    return bind(InferRequest(tensors), signature).inputs


def repeated(rows: Tensors, count: int) -> dict[str, Array]:
    """Return so many rows, beginning again where there are too few."""
    places = [place % len(next(iter(rows.values()))) for place in range(count)]
    return {name: array[places] for name, array in rows.items()}
