"""A Python function served as a model."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from penstock.core.model import Array, NamedModel, Signature, Tensors, TensorSpec, zeros_for
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.errors import ModelError, TransientModelError

Function = Callable[[dict[str, Array]], Mapping[str, Any]]


class CallableModel(NamedModel):
    """A function from arrays to arrays, held to the signature that was declared for it.

        signature = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", (3,)),))
        model = CallableModel("doubler", "3", lambda inputs: {"y": inputs["x"] * 2}, signature)

    It is what `Worker({"doubler": model}, ...)` serves where a version matters.
    """

    def __init__(
        self,
        name: str,
        version: str,
        function: Function,
        signature: Signature,
        *,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        """Wrap a function.

        Args:
            name: what requests call the model.
            version: what requests call this version.
            function: takes every input by name and returns every output by name. It runs on the engine's
                thread, so it must release the GIL where it works long, as numpy does.
            signature: what the function takes and gives.
            on_close: called once, by `close`.

        Raises:
            ModelError: the signature declares no outputs, or is batched without inputs.
        """
        if not signature.outputs or (signature.batched and not signature.inputs):
            raise ModelError(f"{name}@{version}: a signature needs outputs, and inputs to count rows by")
        super().__init__(name, version)
        self._function = function
        self._signature = signature
        self._on_close = on_close
        self._closed = False

    @property
    def steady(self) -> bool:
        """Whether a run takes equally long for equal shapes: of a function nobody knows."""
        return False

    @property
    def signature(self) -> Signature:
        """What the function was declared to take and give."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Call the function with one batch.

        Raises:
            ModelError: the function raised (which is the cause), or returned something else than it declares.
            TransientModelError: the function raised that.
        """
        if self._closed:
            raise ModelError(f"{self._who} is closed")
        for spec in self._signature.inputs:
            if spec.name not in inputs:
                raise ModelError(f"{self._who}: input {spec.name!r} is missing")
        try:
            returned = self._function(dict(inputs))
        except TransientModelError as error:
            raise TransientModelError(f"{self._who} raised {type(error).__name__}") from error
        except Exception as error:
            # Only the type: its text may quote a row, and a batch holds the rows of several senders.
            raise ModelError(f"{self._who} raised {type(error).__name__}") from error
        if not isinstance(returned, Mapping):
            raise ModelError(f"{self._who} returned a {type(returned).__name__}, not a dict of arrays")
        unknown = returned.keys() - {spec.name for spec in self._signature.outputs}
        if unknown:
            raise ModelError(f"{self._who} returned outputs it does not declare: {', '.join(map(str, unknown))}")
        rows = len(inputs[self._signature.inputs[0].name]) if self._signature.batched else None
        return {spec.name: self._checked(spec, returned, rows) for spec in self._signature.outputs}

    def _checked(self, spec: TensorSpec, returned: Mapping[str, Any], rows: int | None) -> Array:
        what = f"{self._who}: output {spec.name!r}"
        if spec.name not in returned:
            raise ModelError(f"{what} is missing")
        try:
            array = np.asarray(returned[spec.name])
        except ValueError as error:
            raise ModelError(f"{what} is no array: its rows differ in length") from error
        wanted = DTYPES[spec.datatype]
        if spec.datatype == "BYTES" and array.dtype.kind in "SU":
            array = array.astype(object)
        if array.dtype != wanted:
            raise ModelError(f"{what} is {array.dtype}, declared {spec.datatype}; use astype({wanted.name!r})")
        shape = array.shape
        if rows is not None:
            if not shape or shape[0] != rows:
                raise ModelError(f"{what} has shape {list(shape)}, but the batch has {rows} rows")
            shape = shape[1:]
        if not spec.accepts(shape):
            raise ModelError(f"{what} has dimensions {list(shape)}, declared {list(spec.shape)}")
        return array

    def warm_up(self) -> None:
        """Call the function once with zeros and empty strings, two rows where that is possible.

        Raises:
            ModelError: the function failed.
        """
        self.run(zeros_for(self._signature, min(2, self._signature.max_rows or 2)))

    def close(self) -> None:
        """Call `on_close`, the first time.

        Raises:
            ModelError: `on_close` raised.
        """
        if self._closed:
            return
        self._closed = True
        if self._on_close is not None:
            try:
                self._on_close()
            except Exception as error:
                raise ModelError(f"{self._who} raised {type(error).__name__} while closing") from error

    def __repr__(self) -> str:
        return f"<CallableModel {self._who}{' closed' if self._closed else ''}>"
