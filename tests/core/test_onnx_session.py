"""What ONNX Runtime's operators say of an index that is wrong is told from all else that they say."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from penstock.core.onnx_session import open_session, translated
from penstock.schemas.errors import ModelError, ValueRefused

TABLE = numpy_helper.from_array(np.arange(8, dtype=np.float32).reshape(4, 2), "table")


@pytest.mark.parametrize("index", [4, -5, 2**62])
@pytest.mark.parametrize(
    ("operator", "shape", "updates"),
    [
        ("Gather", (1,), None),
        ("GatherElements", (1, 1), None),
        ("GatherND", (1, 1), None),
        ("ScatterND", (1, 1), (1, 2)),
        ("ScatterElements", (1, 1), (1, 1)),
    ],
)
def test_an_index_beyond_the_table_is_the_requests_fault_and_not_quoted(
    tmp_path: Path, operator: str, shape: tuple[int, ...], updates: tuple[int, ...] | None, index: int
) -> None:
    given = [TABLE] if updates is None else [TABLE, numpy_helper.from_array(np.ones(updates, np.float32), "updates")]
    names = ["table", "index"] if updates is None else ["table", "index", "updates"]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"])],
        "lookup",
        [helper.make_tensor_value_info("index", TensorProto.INT64, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        given,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    save(model, str(tmp_path / "model.onnx"))
    session = open_session("m@1", tmp_path / "model.onnx", ["CPUExecutionProvider"], 1)

    with (
        pytest.raises(ValueRefused, match="m@1 failed: an index is beyond what it points into") as caught,
        translated("m@1 failed"),
    ):
        session.run(None, {"index": np.full(shape, index, np.int64)})
    assert str(index) not in str(caught.value)


def test_all_else_is_the_models_fault() -> None:
    with pytest.raises(ModelError, match="m@1 failed: a reason") as caught, translated("m@1 failed"):
        raise RuntimeError("[ONNXRuntimeError] : 1 : a reason\nand more")
    assert not isinstance(caught.value, ValueRefused)
