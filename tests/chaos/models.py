"""The models of the fault suite: an answer tells which version gave it, and to which request.

adder    y = x + version * 2 ** 32, FP64; versions 1 to 6 are ONNX. x is the request's number: y holds both, exactly.
         7 sleeps a second while it loads; 8 takes as long for a batch as `SLEEP_S` says; 9 holds the interpreter
         lock as long, so that nothing else of its process runs. The last two do so in the first batch alone.
"""

from pathlib import Path
from typing import Final

MODEL: Final = "adder"
ONNX: Final = tuple(str(version) for version in range(1, 7))
SLOW_TO_LOAD, SLEEPER, HOLDER = "7", "8", "9"
STEP: Final = 2.0**32
SLEEP_S: Final = "CHAOS_SLEEP_S"
"""The variable of a worker that says how long versions 8 and 9 take."""

_PYTHON: Final = """
import ctypes
import os
import time
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP64", (1,)),), outputs=(TensorSpec("y", "FP64", (1,)),))
slept = []

def load(path):
    time.sleep({load_s})

def predict(inputs):
    if inputs["x"].any() and not slept:  # not while it is tried with zeros
        slept.append(True)
        {first}
    return {{"y": inputs["x"] + {version} * {step}}}
"""
_FIRST: Final = {
    SLOW_TO_LOAD: "pass",
    SLEEPER: f"time.sleep(float(os.environ.get('{SLEEP_S}', '1')))",
    # PyDLL calls without giving the interpreter lock away.
    HOLDER: f"ctypes.PyDLL(None).sleep(int(os.environ.get('{SLEEP_S}', '1')))",
}


def make_models(root: Path) -> Path:
    """Fill a repository whose settings serve the first version, and return it."""
    folder = root / MODEL
    for version in ONNX:
        (folder / version).mkdir(parents=True)
        (folder / version / "model.onnx").write_bytes(_onnx(float(version) * STEP))
    for version, first in _FIRST.items():
        (folder / version).mkdir()
        load_s = 1.0 if version == SLOW_TO_LOAD else 0.0
        text = _PYTHON.format(version=version, step=STEP, load_s=load_s, first=first)
        (folder / version / "model.py").write_text(text)
    serve(root, ONNX[0])
    return root


def serve(root: Path, version: str) -> None:
    """Have the settings serve another version; workers read them when they start."""
    (root / MODEL / "config.pbtxt").write_text(f"version_policy {{ specific {{ versions: [{version}] }} }}")


def _onnx(constant: float) -> bytes:
    """Return y = x + constant as ONNX."""
    from onnx import TensorProto, helper

    double = TensorProto.DOUBLE
    ports = [helper.make_tensor_value_info(name, double, ["N", 1]) for name in ("x", "y")]
    added = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", double, [1], [constant]))
    graph = helper.make_graph([added, helper.make_node("Add", ["x", "c"], ["y"])], MODEL, ports[:1], ports[1:])
    # Old enough for every ONNX Runtime that is supported.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())
