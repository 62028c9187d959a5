"""The models that the table is tried on, beside those of `tests.support.repository`.

pixels   y = x over rows of four UINT8
few      y = x over rows of four FP32, eight rows at most
four     y = x over rows of four FP32
texts    the length of a text
inverse  y = 1 / x, which is not finite for 0
lookup   an ONNX model: the element of a table of four at an index
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from tests.support import repository

_IDENTITY = """
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "{0}", (4,)),), outputs=(TensorSpec("y", "{0}", (4,)),))

def predict(inputs):
    return {{"y": inputs["x"]}}
"""

_TEXTS = """
import numpy as np
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("text", "BYTES", ()),), outputs=(TensorSpec("length", "INT64", ()),))

def predict(inputs):
    return {"length": np.array([len(each) for each in inputs["text"]], np.int64)}
"""

_INVERSE = """
import numpy as np
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (1,)),), outputs=(TensorSpec("y", "FP32", (1,)),))

def predict(inputs):
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"y": np.float32(1) / inputs["x"]}
"""


def make(root: Path) -> Path:
    """Fill a folder and return it."""
    repository.make(root)
    sources = {
        "pixels": _IDENTITY.format("UINT8"),
        "few": _IDENTITY.format("FP32"),
        "four": _IDENTITY.format("FP32"),
        "texts": _TEXTS,
        "inverse": _INVERSE,
    }
    for name, source in sources.items():
        (root / name / "1").mkdir(parents=True)
        (root / name / "1" / "model.py").write_text(source)
    (root / "few" / "config.pbtxt").write_text("max_batch_size: 8")
    (root / "lookup" / "1").mkdir(parents=True)
    _lookup(root / "lookup" / "1" / "model.onnx")
    return root


def _lookup(path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "index"], ["y"], axis=0)],
        "lookup",
        [helper.make_tensor_value_info("index", TensorProto.INT64, ["rows", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(np.arange(4, dtype=np.float32) * 10, "table")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
