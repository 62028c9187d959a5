"""ONNX models: what is read from the file, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from structlog.testing import capture_logs

from penstock.core.model import Signature, TensorSpec
from penstock.core.onnx_model import OnnxModel
from penstock.core.triton_config import TritonConfig
from penstock.schemas.datatypes import DTYPES, Datatype
from penstock.schemas.errors import ModelError
from tests.core.onnx_models import FLOAT, save, save_doubler, save_echo


def opened(path: Path, **options: Any) -> OnnxModel:
    return OnnxModel("model", "1", path, **options)


@pytest.fixture(scope="module")
def iris() -> tuple[Any, Any]:
    samples, labels = load_iris(return_X_y=True)
    return samples.astype(np.float32), labels


@pytest.fixture
def classifier(tmp_path: Path, iris: tuple[Any, Any]) -> Path:
    samples, labels = iris
    trained = LogisticRegression(max_iter=500).fit(samples, labels)
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(trained, samples[:1], options={"zipmap": False}).SerializeToString())
    return path


def test_a_scikit_learn_classifier_gives_labels_and_probabilities(classifier: Path, iris: tuple[Any, Any]) -> None:
    samples, labels = iris
    model = opened(classifier)
    assert model.signature == Signature(
        inputs=(TensorSpec("X", "FP32", (4,)),),
        outputs=(TensorSpec("label", "INT64", ()), TensorSpec("probabilities", "FP32", (3,))),
    )
    outputs = model.run({"X": samples})
    assert outputs["label"].shape == (150,)
    assert outputs["probabilities"].shape == (150, 3)
    assert (outputs["label"] == labels).mean() > 0.9
    model.warm_up()


def test_a_scikit_learn_regressor_has_one_column(tmp_path: Path, iris: tuple[Any, Any]) -> None:
    samples, labels = iris
    trained = LinearRegression().fit(samples, labels)
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(trained, samples[:1]).SerializeToString())
    model = opened(path)
    assert model.signature.outputs == (TensorSpec("variable", "FP32", (1,)),)
    np.testing.assert_allclose(model.run({"X": samples})["variable"][:, 0], trained.predict(samples), rtol=1e-4)


def test_dictionaries_for_probabilities_are_refused_with_the_remedy(tmp_path: Path, iris: tuple[Any, Any]) -> None:
    samples, labels = iris
    path = tmp_path / "model.onnx"
    trained = LogisticRegression(max_iter=500).fit(samples, labels)
    path.write_bytes(to_onnx(trained, samples[:1]).SerializeToString())
    with pytest.raises(ModelError, match=r"output_probability.*export with options=\{'zipmap': False\}"):
        opened(path)


@pytest.mark.parametrize("datatype", [datatype for datatype in DTYPES if datatype != "BYTES"])
def test_every_datatype_goes_in_and_out(tmp_path: Path, datatype: Datatype) -> None:
    element_type = helper.np_dtype_to_tensor_dtype(np.dtype(DTYPES[datatype]))
    model = opened(save_echo(tmp_path / "model.onnx", element_type))
    assert model.signature.inputs == (TensorSpec("x", datatype, (2,)),)
    rows = np.array([[0, 1], [1, 0], [1, 1]], dtype=DTYPES[datatype])
    returned = model.run({"x": rows})["y"]
    assert returned.dtype == rows.dtype
    assert (returned == rows).all()
    model.warm_up()


def test_strings_go_in_as_text_or_bytes_and_come_out_as_text(tmp_path: Path) -> None:
    model = opened(save_echo(tmp_path / "model.onnx", TensorProto.STRING))
    assert model.signature.inputs == (TensorSpec("x", "BYTES", (2,)),)
    rows = np.array([["a", "é"], [b"b", "ü".encode()]], dtype=object)
    returned = model.run({"x": rows})["y"]
    assert returned.tolist() == [["a", "é"], ["b", "ü"]]
    assert rows[1, 0] == b"b"  # the caller's array is its own
    with pytest.raises(ModelError, match="not UTF-8"):
        model.run({"x": np.array([["a", b"\xff"]], dtype=object)})


def test_bfloat16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'x' is a tensor\(bfloat16\), which cannot be served"):
        opened(save_echo(tmp_path / "model.onnx", TensorProto.BFLOAT16))


def test_a_fixed_first_dimension_is_no_batch(tmp_path: Path) -> None:
    model = opened(save_doubler(tmp_path / "model.onnx", rows=2))
    assert not model.signature.batched
    assert model.signature.inputs == (TensorSpec("x", "FP32", (2, 3)),)
    assert model.run({"x": np.ones((2, 3), np.float32)})["y"].tolist() == [[2.0] * 3] * 2
    model.warm_up()


def test_an_output_without_rows_makes_the_model_unbatched(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)]
    model = opened(save(tmp_path / "model.onnx", [("x", FLOAT, ["N", 3])], [("y", FLOAT, [])], nodes))
    assert model.signature == Signature(
        (TensorSpec("x", "FP32", (-1, 3)),), (TensorSpec("y", "FP32", ()),), batched=False
    )


def test_a_model_that_mixes_rows_is_found_out_at_warm_up(tmp_path: Path) -> None:
    # Flattening: the first dimension is free on both sides, and yet they are not the same rows.
    nodes = [helper.make_node("Flatten", ["x"], ["f"], axis=0), helper.make_node("Squeeze", ["f"], ["y"])]
    model = opened(save(tmp_path / "model.onnx", [("x", FLOAT, ["N", 3])], [("y", FLOAT, ["M"])], nodes))
    assert model.signature.batched
    with pytest.raises(ModelError, match=r"shape \[6\] for 2 rows; .* needs max_batch_size: 0"):
        model.warm_up()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"model@1 cannot be loaded from .*: .*Protobuf parsing failed"):
        opened(path)
    with pytest.raises(ModelError, match="cannot be loaded"):
        opened(tmp_path / "absent.onnx")


def test_an_unknown_provider_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = save_doubler(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"provider WarpDrive is not available; these are: .*CPUExecutionProvider"):
        opened(path, providers=("WarpDrive", "CPUExecutionProvider"))


@pytest.mark.parametrize(
    "inputs",
    [{}, {"z": np.zeros((1, 3), np.float32)}, {"x": np.zeros((1, 4), np.float32)}, {"x": np.zeros((1, 3), np.int64)}],
)
def test_what_the_runtime_refuses_is_a_model_error(tmp_path: Path, inputs: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="model@1 failed: ") as caught:
        opened(save_doubler(tmp_path / "model.onnx")).run(inputs)
    assert "\n" not in str(caught.value)
    assert "[ONNXRuntimeError]" not in str(caught.value)


def test_rows_that_are_not_contiguous_are_read_right(tmp_path: Path) -> None:
    columns = np.arange(6, dtype=np.float32).reshape(3, 2).T
    assert (opened(save_doubler(tmp_path / "model.onnx")).run({"x": columns})["y"] == columns * 2).all()


def test_the_configuration_narrows_the_signature(tmp_path: Path) -> None:
    path = save_doubler(tmp_path / "model.onnx", width="W")
    config = TritonConfig(max_batch_size=8, inputs=(TensorSpec("x", "FP32", (5,)),))
    model = opened(path, config=config)
    assert model.signature.inputs == (TensorSpec("x", "FP32", (5,)),)
    assert model.signature.max_rows == 8


def test_warm_up_forgives_made_up_lengths_but_says_so(tmp_path: Path) -> None:
    # A window of 4 over a sequence of free length: the made-up length of 1 is too short for it.
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[4])
    path = save(tmp_path / "model.onnx", [("x", FLOAT, ["N", 1, "L"])], [("y", FLOAT, ["N", 1, "M"])], [node])
    model = opened(path)
    with capture_logs() as logs:
        model.warm_up()
    assert [entry["event"] for entry in logs] == ["warm-up failed on made-up input"]
    assert model.run({"x": np.ones((2, 1, 6), np.float32)})["y"].shape == (2, 1, 3)


def test_several_threads_give_the_same_answer(tmp_path: Path) -> None:
    path = save_doubler(tmp_path / "model.onnx")
    rows = np.random.default_rng(1).random((1000, 3), dtype=np.float32)
    assert (opened(path, intra_op_threads=2).run({"x": rows})["y"] == rows * 2).all()


def test_without_the_runtime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"penstock-kafka\[worker\]"):
        opened(tmp_path / "model.onnx")


def test_the_runtime_uploads_nothing_and_leaves_nothing_in_the_users_home(tmp_path: Path) -> None:
    path, home = save_doubler(tmp_path / "model.onnx"), tmp_path / "home"
    home.mkdir()
    program = (
        "import sys; from pathlib import Path; from penstock.core.onnx_model import OnnxModel; "
        "OnnxModel('model', '1', Path(sys.argv[1])).warm_up()"
    )
    hidden = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environ = {name: value for name, value in os.environ.items() if name not in hidden} | {"HOME": str(home)}
    subprocess.run([sys.executable, "-c", program, path], env=environ, cwd="/", check=True, timeout=60)
    assert list(home.rglob("*")) == []
