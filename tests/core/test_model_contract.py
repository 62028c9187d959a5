"""What every kind of model promises the engine."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from penstock.core.callable_model import CallableModel
from penstock.core.isolation.isolated_model import IsolatedModel
from penstock.core.model import Model, Signature, TensorSpec, zeros_for
from penstock.core.onnx_model import OnnxModel
from penstock.core.python_model import load_python_model
from penstock.core.triton_config import TritonConfig
from penstock.schemas.errors import ModelError
from tests.core.onnx_models import save_doubler

# Every maker builds the same model: y = 2 x over float32 rows of three.
SIGNATURE = Signature(
    inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", (3,)),), batched=True, max_rows=64
)
FILE = """
from penstock.core.model import Signature, TensorSpec
SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", (3,)),))
def predict(inputs):
    return {"y": inputs["x"] * 2}
"""
CONFIG = TritonConfig(max_batch_size=64)


def onnx(folder: Path) -> Model:
    return OnnxModel("doubler", "7", save_doubler(folder / "model.onnx"), config=CONFIG)


def function(folder: Path) -> Model:
    return CallableModel("doubler", "7", lambda inputs: {"y": inputs["x"] * 2}, SIGNATURE)


def file(folder: Path) -> Model:
    (folder / "model.py").write_text(FILE)
    return load_python_model("doubler", "7", folder / "model.py", config=CONFIG)


def isolated(folder: Path) -> Model:
    opening = partial(OnnxModel, "doubler", "7", save_doubler(folder / "model.onnx"), config=CONFIG)
    return IsolatedModel("doubler", "7", opening, run_timeout_s=60)


@pytest.fixture(params=[onnx, function, file, isolated])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Model]:
    make: Callable[[Path], Model] = request.param
    made = make(tmp_path)
    yield made
    made.close()


def test_it_knows_its_name_version_and_signature(model: Model) -> None:
    assert (model.name, model.version, model.signature) == ("doubler", "7", SIGNATURE)


@pytest.mark.parametrize("rows", [1, 2, 64])
def test_it_answers_every_row_in_order(model: Model, rows: int) -> None:
    x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    outputs = model.run({"x": x})
    assert list(outputs) == ["y"]
    assert outputs["y"].dtype == np.float32
    assert (outputs["y"] == x * 2).all()


def test_a_batch_is_answered_as_its_rows_would_be_alone(model: Model) -> None:
    x = np.random.default_rng(0).random((16, 3), dtype=np.float32)
    together = model.run({"x": x})["y"]
    alone = np.concatenate([model.run({"x": row[np.newaxis]})["y"] for row in x])
    np.testing.assert_array_equal(together, alone)


def test_it_leaves_its_inputs_alone(model: Model) -> None:
    x = np.ones((2, 3), np.float32)
    x.flags.writeable = False  # what was read from Kafka may be a view of the record
    inputs = {"x": x}
    model.run(inputs)
    assert list(inputs) == ["x"]
    assert inputs["x"] is x


def test_it_warms_up_and_takes_zeros(model: Model) -> None:
    model.warm_up()
    assert not model.run(zeros_for(model.signature, 3))["y"].any()


def test_a_missing_input_is_a_model_error(model: Model) -> None:
    with pytest.raises(ModelError):
        model.run({})


def test_a_failed_batch_does_not_hurt_the_next(model: Model) -> None:
    with pytest.raises(ModelError):
        model.run({"x": np.ones((1, 3, 3, 3), np.float32)})
    assert model.run({"x": np.ones((1, 3), np.float32)})["y"].tolist() == [[2.0] * 3]


def test_once_closed_it_refuses_and_may_be_closed_again(model: Model) -> None:
    assert repr(model).endswith("doubler@7>")
    model.close()
    model.close()
    with pytest.raises(ModelError, match="doubler@7 is closed"):
        model.run({"x": np.ones((1, 3), np.float32)})
    assert repr(model).endswith("doubler@7 closed>")
