"""An example request for a model, which works as it is printed."""

import json
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.core.model import Array, Signature, TensorSpec
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.oip import encode_request

_MOST_PRINTED: Final = 200  # numbers in a command line


@dataclass(frozen=True, slots=True)
class Example:
    """One row for a model, or its one tensor.

    Attributes:
        inputs: what the model gets.
        commands: lines for a shell that ask for it; none where there is no short way.
        body: the value of the same request; None where it is too long to be printed.
    """

    inputs: dict[str, Array]
    commands: list[str]
    body: str | None


def example_of(model: str, signature: Signature, number: float = 1) -> Example:
    """Make an example.

    Args:
        model: what `penstock predict` calls it.
        signature: what it takes.
        number: what every element is.
    """
    inputs = {spec.name: _filled(spec, signature.batched, number) for spec in signature.inputs}
    datatypes = {spec.name: spec.datatype for spec in signature.inputs}
    if sum(array.size for array in inputs.values()) > _MOST_PRINTED:
        return Example(inputs, _with_a_file(model, signature, inputs), None)
    body = encode_request({name: (datatypes[name], array) for name, array in inputs.items()}).decode()
    rows = _short(inputs) if signature.batched and all(array.ndim > 1 for array in inputs.values()) else body
    return Example(inputs, [f"echo {_quoted(rows)} | penstock predict {model}"], body)


def _short(inputs: dict[str, Array]) -> str:
    """Return one row as `penstock predict` takes it, which leaves out what it can find out."""
    rows = {name: array[0].tolist() if array.ndim == 2 else array.tolist() for name, array in inputs.items()}
    document = next(iter(rows.values())) if len(rows) == 1 else rows
    return json.dumps(document, ensure_ascii=False).replace(".0,", ",").replace(".0]", "]")


def _filled(spec: TensorSpec, batched: bool, number: float) -> Array:
    shape = tuple(1 if dim < 0 else dim for dim in spec.shape)
    full = (1, *shape) if batched else shape
    return np.full(full, "a" if spec.datatype == "BYTES" else number, dtype=DTYPES[spec.datatype])


def _with_a_file(model: str, signature: Signature, inputs: dict[str, Array]) -> list[str]:
    """Return commands for what is too long for a command line. A tensor that is no batch is one request."""
    if any(array.ndim < 2 for array in inputs.values()):
        return []  # a file's flat array is taken for a row
    made = {name: _expression(array) for name, array in inputs.items()}
    rows = "" if signature.batched else f" --rows-per-request {max(map(len, inputs.values()))}"
    if len(made) == 1:
        (expression,) = made.values()
        save, file = f'np.save("rows.npy", {expression})', "rows.npy"
    else:
        named = ", ".join(f"{json.dumps(name)}: {expression}" for name, expression in made.items())
        save, file = f'np.savez("rows.npz", **{{{named}}})', "rows.npz"
    return [f"python -c {_quoted(f'import numpy as np; {save}')}", f"penstock predict {model} {file}{rows}"]


def _expression(array: Array) -> str:
    text = array.dtype.kind == "O"
    value, kind = ('"a"', "U1") if text else (repr(array.reshape(-1)[0].item()), array.dtype.name)
    return f'np.full({array.shape}, {value}, "{kind}")'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
