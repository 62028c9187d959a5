"""Small ONNX files, made on the spot."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

Port = tuple[str, int, Sequence[str | int] | None]  # name, element type, dimensions

FLOAT = TensorProto.FLOAT


def save(path: Path, inputs: Sequence[Port], outputs: Sequence[Port], nodes: Sequence[onnx.NodeProto]) -> Path:
    """Write a model of the nodes to a path, making its folder."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(*port) for port in inputs],
        [helper.make_tensor_value_info(*port) for port in outputs],
    )
    # Old enough for every ONNX Runtime that is supported.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def save_doubler(path: Path, rows: str | int = "N", width: str | int = 3) -> Path:
    """Write y = x + x over float32 [rows, width]."""
    dims = [rows, width]
    return save(path, [("x", FLOAT, dims)], [("y", FLOAT, dims)], [helper.make_node("Add", ["x", "x"], ["y"])])


def save_echo(path: Path, element_type: int) -> Path:
    """Write y = x for an element type."""
    dims: list[str | int] = ["N", 2]
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return save(path, [("x", element_type, dims)], [("y", element_type, dims)], nodes)
