"""A batch of requests through the model, as the expert loop does it; the peers that leave this to the user share it.

One parse per request (orjson), one array and one run per batch, one intra-op thread, one dump per reply.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from benchmarks.contestants.options import Options


def open_session(model: str) -> Any:
    """Open a model with ONNX Runtime on one intra-op thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Answering:
    """Turns the values of requests into the values of replies: JSON, or with `raw` the label's bytes."""

    def __init__(self, options: Options) -> None:
        self._session = open_session(options.model)
        (tensor,) = self._session.get_inputs()
        self._input, self._features = tensor.name, int(tensor.shape[1])
        self._name, self._raw = options.name, options.raw

    def answer(self, values: Sequence[bytes]) -> list[bytes]:
        """Answer a batch of values."""
        if self._raw:
            return self._answer_raw(values)
        return self.answer_bodies([orjson.loads(value) for value in values])

    def answer_bodies(self, bodies: Sequence[Any]) -> list[bytes]:
        """Answer a batch of requests whose JSON has been parsed."""
        rows = np.array([body["inputs"][0]["data"] for body in bodies], dtype=np.float32)
        labels, scores = self._session.run(None, {self._input: rows})
        classes = scores.shape[1]
        return [
            orjson.dumps(
                {
                    "model_name": self._name,
                    "id": body["id"],
                    "outputs": [
                        {"name": "label", "datatype": "INT64", "shape": [1], "data": [label]},
                        {"name": "probabilities", "datatype": "FP32", "shape": [1, classes], "data": score},
                    ],
                }
            )
            for body, label, score in zip(bodies, labels.tolist(), scores.tolist(), strict=True)
        ]

    def _answer_raw(self, values: Sequence[bytes]) -> list[bytes]:
        rows = np.frombuffer(b"".join(values), dtype="<f4").reshape(len(values), self._features)
        labels = self._session.run(None, {self._input: rows})[0].astype("<i8").tobytes()
        return [labels[at : at + 8] for at in range(0, len(labels), 8)]
