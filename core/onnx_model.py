"""A model in ONNX, run by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penstock.core.model import Array, NamedModel, Signature, Tensors, zeros_for
from penstock.core.onnx_session import open_session, signature_of, translated
from penstock.core.triton_config import TritonConfig
from penstock.schemas.errors import ModelError
from penstock.schemas.logger import Logger

log = Logger(__name__)


class OnnxModel(NamedModel):
    """A loaded ONNX file. Which rows may run together is read from it, see `signature`."""

    def __init__(
        self,
        name: str,
        version: str,
        path: Path,
        *,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        intra_op_threads: int = 1,
        config: TritonConfig | None = None,
    ) -> None:
        """Load a file.

        Args:
            name: what requests call the model.
            version: what requests call this version.
            path: the ONNX file.
            providers: ONNX Runtime's execution providers, the preferred first.
            intra_op_threads: threads that share the work of one batch.
            config: narrows the signature.

        Raises:
            ModelError: ONNX Runtime or a provider is missing, the file is no model, has inputs or outputs that
                are no tensors, or disagrees with `config`.
        """
        super().__init__(name, version)
        self._session: Any = open_session(self._who, path, providers, intra_op_threads)  # None once closed
        signature = signature_of(self._who, self._session)
        self._signature = config.apply(signature) if config else signature
        self._outputs = [spec.name for spec in self._signature.outputs]
        self._texts = [spec.name for spec in self._signature.inputs if spec.datatype == "BYTES"]

    @property
    def steady(self) -> bool:
        """Whether a run takes equally long for equal shapes: a graph of operators does."""
        return True

    @property
    def signature(self) -> Signature:
        """What the model takes and gives; batched when the first dimension of every tensor is free."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Run one batch; strings come back as an object array of str.

        Raises:
            ModelError: ONNX Runtime refused the batch or failed, or the model does not keep rows apart.
        """
        if self._session is None:
            raise ModelError(f"{self._who} is closed")
        feed = dict(inputs)
        for text in self._texts:
            if text in feed:
                feed[text] = _as_text(self._who, text, feed[text])
        with translated(f"{self._who} failed"):
            results = self._session.run(self._outputs, feed)
        outputs: dict[str, Array] = dict(zip(self._outputs, results, strict=True))
        if self._signature.batched:
            self._check_rows(len(next(iter(feed.values()))), outputs)
        return outputs

    def _check_rows(self, rows: int, outputs: Tensors) -> None:
        # A free first dimension need not be the batch. Rows taken apart wrongly would answer one request with
        # another's prediction.
        for output, value in outputs.items():
            if value.shape[:1] != (rows,):
                raise ModelError(
                    f"{self._who}: output {output!r} has shape {list(value.shape)} for {rows} rows; "
                    "a model that mixes rows needs max_batch_size: 0 in its config.pbtxt"
                )

    def warm_up(self) -> None:
        """Run once on made-up rows: two where that is possible, to see that they stay apart.

        Raises:
            ModelError: the model cannot run.
        """
        rows = min(2, self._signature.max_rows or 2)
        try:
            self.run(zeros_for(self._signature, rows))
        except ModelError as error:
            # Made-up text, or a length of 1 along a free dimension, is more than some sound models can take.
            if not any(spec.datatype == "BYTES" or -1 in spec.shape for spec in self._signature.inputs):
                raise
            log.warning("warm-up failed on made-up input", model=self._who, error=str(error))

    def close(self) -> None:
        """Release the session with its memory and threads."""
        self._session = None

    def __repr__(self) -> str:
        return f"<OnnxModel {self._who}{' closed' if self._session is None else ''}>"


def _as_text(who: str, name: str, array: Array) -> Array:
    # ONNX strings are UTF-8 text. Given bytes, ONNX Runtime would take their repr, b'...' and all.
    flat = np.asarray(array, dtype=object).reshape(-1)
    if not any(isinstance(item, bytes) for item in flat):
        return array
    made = np.empty(len(flat), dtype=object)
    try:
        made[:] = [item.decode() if isinstance(item, bytes) else item for item in flat]
    except UnicodeDecodeError:
        raise ModelError(f"{who}: input {name!r} holds bytes that are not UTF-8, which ONNX cannot take") from None
    return made.reshape(array.shape)
