"""The model that the study of control switches: each answer tells which version gave it, and to which request.

adder    y = x + version * 2 ** 32, FP64. x is the number of the request, so y holds both, exactly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from penstock.core.store.publishing import Writer, open_writer, publish

MODEL: Final = "adder"
FIRST: Final = "1"
SWITCHED: Final = tuple(str(version) for version in range(2, 12))
CANARY: Final = "12"
SHADOW, SLOW = "20", "21"  # sleeps a second and fails at random; takes a second to load
BROKEN, TAMPERED, INCOMPATIBLE = "30", "31", "32"  # no ONNX; not what was published; with another input
STEP: Final = 2.0**32

_PYTHON: Final = """
import random
import time
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP64", (1,)),), outputs=(TensorSpec("y", "FP64", (1,)),))

def load(path):
    time.sleep({load_s})

def predict(inputs):
    if {troubled} and inputs["x"].any():  # not while it is tried with zeros
        time.sleep(1.0)
        if random.random() < 0.3:
            raise RuntimeError("at random")
    return {{"y": inputs["x"] + {version} * {step}}}
"""


def make_models(root: Path) -> Path:
    """Publish every version into a repository whose settings serve the first, and return it."""
    writer = open_writer(root)
    sources = root.parent / "sources"
    sources.mkdir()
    for version in (FIRST, *SWITCHED, CANARY, TAMPERED):
        _publish(writer, sources, version)
    _publish(writer, sources, INCOMPATIBLE, width=2)
    folder = root / MODEL
    (folder / TAMPERED / "model.onnx").write_bytes((folder / CANARY / "model.onnx").read_bytes())
    _add(folder, BROKEN, "model.onnx", "this is no model")
    _add(folder, SLOW, "model.py", _python(SLOW, load_s=1.0))
    _add(folder, SHADOW, "model.py", _python(SHADOW, troubled=True))
    (folder / "config.pbtxt").write_text(f"version_policy {{ specific {{ versions: [{FIRST}] }} }}")
    return root


def _publish(writer: Writer, sources: Path, version: str, width: int = 1) -> None:
    path = sources / f"{version}.onnx"
    path.write_bytes(_onnx(["N", width], float(version) * STEP))
    publish(writer, MODEL, path, version=version)


def _onnx(shape: Sequence[str | int], constant: float) -> bytes:
    """Return y = x + constant as ONNX."""
    from onnx import TensorProto, helper

    double = TensorProto.DOUBLE
    ports = [helper.make_tensor_value_info(name, double, shape) for name in ("x", "y")]
    added = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", double, [1], [constant]))
    graph = helper.make_graph([added, helper.make_node("Add", ["x", "c"], ["y"])], "adder", ports[:1], ports[1:])
    # Old enough for every ONNX Runtime that is supported.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def _python(version: str, *, load_s: float = 0.0, troubled: bool = False) -> str:
    return _PYTHON.format(version=version, step=STEP, load_s=load_s, troubled=troubled)


def _add(folder: Path, version: str, name: str, text: str) -> None:
    (folder / version).mkdir()
    (folder / version / name).write_text(text)
