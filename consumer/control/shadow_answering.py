"""What a shadow does with one batch: run copies of its requests, compare, and make records of what comes of it."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from penstock.consumer.control.comparison import compare
from penstock.consumer.control.shadow_copies import (
    Answer,
    Copies,
    Offered,
    answer_of,
    copies_of,
    give_up,
    provenance,
)
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.core.engine import Inference
from penstock.core.metrics import Metrics
from penstock.core.model import Array, Model, Signature, Tensors
from penstock.core.routing import Split
from penstock.schemas.errors import ErrorCode, ModelError, RequestError, without_frames
from penstock.schemas.logger import Logger

log = Logger(__name__)

_TELL_S: Final = 30.0  # a shadow that fails says so no more often
_MOST: Final = 1e9  # a difference that is counted; one of infinity would leave the metric no sum


class ShadowAnswering:
    """Answers copies of requests with one model. Belongs to one thread.

    Args:
        model: what runs.
        metrics: where its requests are counted.
        max_reply_bytes: a larger answer becomes REPLY_TOO_LARGE.
    """

    def __init__(self, model: Model, metrics: Metrics, max_reply_bytes: int) -> None:
        self._model = model
        self._metrics = metrics
        self._builder = ReplyBuilder(max_reply_bytes)
        self._labels = model.name, model.version
        self._told_at = float("-inf")

    def answers(self, given: Offered, split: Split | None, topic: str) -> Sequence[Answer]:
        """Return the records that answer the copies of an answered batch.

        Args:
            given: the batch.
            split: which of its requests are copied; None is all.
            topic: where the records go.

        Raises:
            Exception: the model's outputs cannot be encoded.
        """
        copies = copies_of(given, split, topic)
        if copies is None:
            return ()
        live, start = given.live, time.monotonic()
        outputs, error = self._run(copies)
        ran_s = time.monotonic() - start
        self._metrics.shadow_seconds.labels(*self._labels).observe(ran_s)
        if error is None:
            self._compare(live, copies, outputs)
        else:
            give_up(copies.batch, error)
        waited_s = start - copies.batch.arrived
        inference = Inference(self._model, outputs, error, waited_s, ran_s, live.epoch, live.finite_only)
        headers = provenance(self._model, live)
        made = [answer_of(*each, *headers) for each in self._builder.build(copies.batch, inference)]
        self._count(copies)
        return made

    def failed(self, requests: int, error: BaseException) -> None:
        """Count requests that failed without an answer, and tell the operator now and then."""
        if requests:
            self._metrics.shadow_requests.labels(*self._labels, ErrorCode.MODEL_FAILED.value).inc(requests)
        if time.monotonic() - self._told_at >= _TELL_S:
            self._told_at = time.monotonic()
            log.warning("shadow failed; the live version goes on", model="@".join(self._labels), error=repr(error))

    def _run(self, copies: Copies) -> tuple[dict[str, Array], RequestError | None]:
        rows = copies.batch.rows
        try:
            return run(self._model, copies.inputs, rows), None
        except BaseException as error:  # a model is somebody else's code
            self.failed(0, without_frames(error))
            text = str(error) if isinstance(error, ModelError) else f"{type(error).__name__} while running"
            # One bad row fails the batch. To find it would take many more runs, which a broken shadow is not worth.
            return {}, RequestError(ErrorCode.MODEL_FAILED, f"{text} (in a batch of {rows} rows)")

    def _compare(self, live: Inference, copies: Copies, outputs: dict[str, Array]) -> None:
        name = next(iter(live.outputs), "")
        if name not in outputs:
            return
        known = live.outputs[name] if copies.mask is None else live.outputs[name][copies.mask]
        found = compare(known, outputs[name], batched=self._model.signature.batched)
        if found is None:
            return
        if found.largest is not None:
            self._metrics.shadow_difference.labels(*self._labels).observe(min(found.largest, _MOST))
            return
        self._metrics.shadow_compared.labels(*self._labels, "same").inc(found.same)
        self._metrics.shadow_compared.labels(*self._labels, "different").inc(found.different)

    def _count(self, copies: Copies) -> None:
        outcomes: Counter[str] = Counter()
        for chunk in copies.batch.chunks:
            if isinstance(chunk.requests, list):
                outcomes.update("ok" if each.error is None else each.error.code.value for each in chunk.requests)
            else:
                outcomes["ok"] += len(chunk.requests)
        for outcome, requests in outcomes.items():
            self._metrics.shadow_requests.labels(*self._labels, outcome).inc(requests)


def takes(signature: Signature, read_as: Signature) -> bool:
    """Tell whether a model can run every row that was read by another signature."""
    own, other = ({spec.name: spec for spec in each.inputs} for each in (signature, read_as))
    return (
        signature.batched == read_as.batched
        and own.keys() == other.keys()
        and all(spec.datatype == other[name].datatype and spec.accepts(other[name].shape) for name, spec in own.items())
    )


def run(model: Model, inputs: Tensors, rows: int) -> dict[str, Array]:
    """Run rows, in as many parts as the model's own bound on a batch asks for.

    Raises:
        ModelError: it failed, or does not answer each row.
        Exception: whatever else it raises.
    """
    most = model.signature.max_rows or rows
    if not model.signature.batched or rows <= most:
        parts = [model.run(inputs)]
    else:
        cuts = [slice(at, at + most) for at in range(0, rows, most)]
        parts = [model.run({name: array[cut] for name, array in inputs.items()}) for cut in cuts]
    outputs = parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    for name, array in outputs.items():
        if model.signature.batched and array.shape[:1] != (rows,):
            raise ModelError(f"output {name!r} has shape {list(array.shape)} for a batch of {rows} rows")
    return outputs
