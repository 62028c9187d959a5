"""The contract between the engine and whatever runs a model.

A model knows tensors and nothing else: no Kafka, no JSON, no event loop. `run` is called from the engine's
thread, one batch at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.schemas.datatypes import DTYPES, Datatype

Array = NDArray[Any]
Tensors = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

        TensorSpec("x", "FP32", (4,))       # rows of four 32-bit floats
        TensorSpec("score", "FP64", ())     # one number for each row

    Attributes:
        name: the tensor's name in the model.
        datatype: its Open Inference Protocol datatype: BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, or
            BYTES for strings.
        shape: the dimensions of one row when the signature is `batched`, else of the whole tensor; -1 is any.

    Raises:
        ValueError, TypeError: there is no such datatype, or the shape is none.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.datatype not in DTYPES:
            raise ValueError(f"tensor {self.name!r}: no datatype {self.datatype!r}; there are {', '.join(DTYPES)}")
        if not isinstance(self.shape, tuple | list):
            raise TypeError(f"tensor {self.name!r}: a shape is a tuple such as (4,), not {self.shape!r}")
        object.__setattr__(self, "shape", tuple(self.shape))

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Tell whether the dimensions of a row (or a whole tensor) fit."""
        return len(shape) == len(self.shape) and all(
            want in (-1, have) for want, have in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives.

        Signature(
            inputs=(TensorSpec("x", "FP32", (4,)),),
            outputs=(TensorSpec("label", "INT64", ()), TensorSpec("scores", "FP32", (3,))),
        )

    Attributes:
        inputs: in the model's order.
        outputs: in the model's order.
        batched: every tensor has a free first dimension, so that rows of several requests may run together.
        max_rows: the most rows one run may take; None is no bound.

    Raises:
        TypeError: inputs or outputs are no tuples of `TensorSpec`.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batched: bool = True
    max_rows: int | None = None

    def __post_init__(self) -> None:
        for side in ("inputs", "outputs"):
            given: Any = getattr(self, side)
            if not isinstance(given, tuple | list) or not all(isinstance(spec, TensorSpec) for spec in given):
                comma = "; one alone needs its comma: (TensorSpec(...),)" if isinstance(given, TensorSpec) else ""
                raise TypeError(f"{side} of a signature must be a tuple of TensorSpec, not {given!r}{comma}")
            object.__setattr__(self, side, tuple(given))


class Model(Protocol):
    """A loaded version of a model, ready to run."""

    @property
    def name(self) -> str:
        """The name that requests use."""
        ...

    @property
    def version(self) -> str:
        """The version, as its folder in the repository is called."""
        ...

    @property
    def signature(self) -> Signature:
        """What the model takes and gives; never changes."""
        ...

    @property
    def steady(self) -> bool:
        """Whether how long a run takes depends on the shapes of its inputs alone; False when in doubt."""
        ...

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Run one batch.

        Args:
            inputs: every input of the signature, with its numpy dtype, shape [rows, *spec.shape] when batched.

        Returns:
            Every output of the signature; the first dimension is the number of rows when batched.

        Raises:
            ModelError: the runtime refused the batch or failed.
        """
        ...

    def warm_up(self) -> None:
        """Run once on made-up rows, so that the first request does not pay for lazy set-up.

        Raises:
            ModelError: the model cannot run.
        """
        ...

    def close(self) -> None:
        """Release memory and threads. `run` must not be called afterwards."""
        ...


class NamedModel:
    """What every implementation of `Model` has in common: its name and version.

    Args:
        name: what requests call the model.
        version: what requests call this version.
    """

    def __init__(self, name: str, version: str) -> None:
        self._name = name
        self._version = version

    @property
    def name(self) -> str:
        """The name that requests use."""
        return self._name

    @property
    def version(self) -> str:
        """The version, as its folder in the repository is called."""
        return self._version

    @property
    def _who(self) -> str:
        return f"{self._name}@{self._version}"


def zeros_for(signature: Signature, rows: int = 1) -> dict[str, Array]:
    """Make inputs of the right dtypes and shapes, free dimensions set to 1, for a warm-up run."""
    made: dict[str, Array] = {}
    for spec in signature.inputs:
        shape = tuple(1 if dim < 0 else dim for dim in spec.shape)
        full = (rows, *shape) if signature.batched else shape
        if spec.datatype == "BYTES":
            made[spec.name] = np.full(full, "", dtype=object)
        else:
            made[spec.name] = np.zeros(full, dtype=DTYPES[spec.datatype])
    return made
