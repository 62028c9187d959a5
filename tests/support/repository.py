"""A small model repository, made on the spot.

doubler  y = 2 x over three FP32 numbers. The second says "raise" where it is 666; the third is how many
         seconds a batch takes, the largest of its rows deciding.
scaler   versions 1 and 2: y = x and y = 10 x
joiner   two inputs: a (two FP32 numbers) and b (one): sum = a0 + a1 + b
cancer   scikit-learn's breast-cancer data, scaled and boosted, as ONNX
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DOUBLER = """
import time
import numpy as np
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", (3,)),))

def predict(inputs):
    x = inputs["x"]
    if (x[:, 1] == 666).any():
        raise ValueError(f"a row that must never be told: {x.tolist()}")
    if x[:, 2].max() > 0:
        time.sleep(float(x[:, 2].max()))
    return {"y": x * np.float32(2)}
"""

_SCALER = """
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (1,)),), outputs=(TensorSpec("y", "FP32", (1,)),))

def predict(inputs):
    return {{"y": inputs["x"] * {factor}}}
"""

_JOINER = """
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(
    inputs=(TensorSpec("a", "FP32", (2,)), TensorSpec("b", "FP32", (1,))),
    outputs=(TensorSpec("sum", "FP32", (1,)),),
)

def predict(inputs):
    return {"sum": inputs["a"].sum(axis=1, keepdims=True) + inputs["b"]}
"""


def make(root: Path) -> Path:
    """Fill a folder and return it."""
    _write(root / "doubler" / "1", _DOUBLER)
    _write(root / "scaler" / "1", _SCALER.format(factor=1))
    _write(root / "scaler" / "2", _SCALER.format(factor=10))
    (root / "scaler" / "config.pbtxt").write_text("version_policy { all { } }")
    _write(root / "joiner" / "1", _JOINER)
    (root / "cancer" / "1").mkdir(parents=True)
    (root / "cancer" / "1" / "model.onnx").write_bytes(cancer()[0])
    return root


def _write(folder: Path, source: str) -> None:
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(source)


Cancer = tuple[bytes, NDArray[Any], NDArray[Any]]
_cancer: list[Cancer] = []


def cancer() -> Cancer:
    """The model's ONNX, rows to try it on, and the classes that scikit-learn gives them."""
    if not _cancer:
        from skl2onnx import to_onnx
        from sklearn.datasets import load_breast_cancer
        from sklearn.ensemble import GradientBoostingClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows, classes = load_breast_cancer(return_X_y=True)
        rows = rows.astype(np.float32)
        pipeline = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=20, random_state=0))
        pipeline.fit(rows, classes)
        proto = to_onnx(pipeline, rows[:1], options={"zipmap": False}, target_opset=18)
        _cancer.append((proto.SerializeToString(), rows[:64], pipeline.predict(rows[:64])))
    return _cancer[0]
