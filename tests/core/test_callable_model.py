"""Python functions as models, given directly or as a file."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.core.callable_model import CallableModel
from penstock.core.model import Signature, TensorSpec
from penstock.core.python_model import load_python_model
from penstock.core.triton_config import TritonConfig
from penstock.schemas.errors import ModelError

SUM = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", ()),))
ROWS = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}

FILE = """
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", ()),))

def predict(inputs):
    return {"y": inputs["x"].sum(axis=1)}
"""


def returning(outputs: Any, signature: Signature = SUM) -> CallableModel:
    return CallableModel("sum", "1", lambda inputs: outputs, signature)


def written(folder: Path, text: str, **others: str) -> Path:
    for name, content in {"model": text, **others}.items():
        (folder / f"{name}.py").write_text(content)
    return folder / "model.py"


def test_a_function_is_a_model() -> None:
    model = CallableModel("sum", "1", lambda inputs: {"y": inputs["x"].sum(axis=1)}, SUM)
    assert model.run(ROWS)["y"].tolist() == [3.0, 12.0]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([1.0, 2.0], "returned a list, not a dict"),
        ({}, "output 'y' is missing"),
        ({"y": np.zeros(2, np.float32), "z": 1}, "outputs it does not declare: z"),
        ({"y": np.zeros(3, np.float32)}, r"shape \[3\], but the batch has 2 rows"),
        ({"y": np.float32(1)}, r"shape \[\], but the batch has 2 rows"),
        ({"y": np.zeros((2, 1), np.float32)}, r"dimensions \[1\], declared \[\]"),
        ({"y": np.zeros(2)}, r"is float64, declared FP32; use astype\('float32'\)"),
        ({"y": [[1.0], [1.0, 2.0]]}, "its rows differ in length"),
    ],
)
def test_outputs_are_held_to_the_signature(outputs: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        returning(outputs).run(ROWS)


def test_strings_of_fixed_width_become_objects() -> None:
    signature = Signature(SUM.inputs, (TensorSpec("y", "BYTES", ()),))
    returned = returning({"y": np.array(["a", "bc"])}, signature).run(ROWS)["y"]
    assert returned.dtype == object
    assert returned.tolist() == ["a", "bc"]


def test_an_unbatched_function_may_return_any_declared_shape() -> None:
    signature = Signature(SUM.inputs, (TensorSpec("y", "FP32", (-1,)),), batched=False)
    assert returning({"y": np.zeros(7, np.float32)}, signature).run(ROWS)["y"].shape == (7,)


def test_a_missing_input_is_told_before_the_function_is_called() -> None:
    with pytest.raises(ModelError, match="input 'x' is missing"):
        returning({}).run({})


def test_what_the_function_raises_is_the_cause_and_not_in_the_message() -> None:
    def fail(inputs: Any) -> Any:
        raise ValueError(f"row of somebody else: {inputs['x']}")

    with pytest.raises(ModelError) as caught:
        CallableModel("sum", "1", fail, SUM).run(ROWS)
    assert str(caught.value) == "sum@1 raised ValueError"
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_signature_without_outputs_is_refused() -> None:
    with pytest.raises(ModelError, match="needs outputs"):
        returning({}, Signature(SUM.inputs, ()))


def test_close_is_called_once() -> None:
    closed: list[int] = []
    model = CallableModel("sum", "1", lambda inputs: {}, SUM, on_close=lambda: closed.append(1))
    model.close()
    model.close()
    assert closed == [1]


def test_a_file_is_a_model(tmp_path: Path) -> None:
    model = load_python_model("sum", "1", written(tmp_path, FILE))
    assert model.signature == SUM
    assert model.run(ROWS)["y"].tolist() == [3.0, 12.0]
    model.warm_up()


def test_load_gets_the_versions_folder_and_close_is_called(tmp_path: Path) -> None:
    text = FILE + (
        "def load(path):\n    (path / 'loaded').touch()\n"
        "def close():\n    (__import__('pathlib').Path(__file__).parent / 'closed').touch()\n"
    )
    model = load_python_model("sum", "1", written(tmp_path, text))
    assert (tmp_path / "loaded").exists()
    assert not (tmp_path / "closed").exists()
    model.close()
    assert (tmp_path / "closed").exists()


def test_two_versions_share_neither_module_nor_neighbours(tmp_path: Path) -> None:
    text = FILE.replace("SIGNATURE", "from .factor import FACTOR\nSIGNATURE", 1).replace(".sum(", ".dot([FACTOR] * 3")
    text = text.replace("axis=1)", ").astype('float32')")
    models = []
    for version in ("1", "2"):
        folder = tmp_path / version
        folder.mkdir()
        models.append(load_python_model("sum", version, written(folder, text, factor=f"FACTOR = {version}.0")))
    assert [model.run(ROWS)["y"].tolist() for model in models] == [[3.0, 12.0], [6.0, 24.0]]


def test_closing_forgets_the_modules(tmp_path: Path) -> None:
    before = set(sys.modules)
    model = load_python_model("sum", "1", written(tmp_path, "from . import near\n" + FILE, near=""))
    assert len(set(sys.modules) - before) == 2
    model.close()
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def predict(inputs): ...", "defines no SIGNATURE"),
        ("SIGNATURE = {'x': 1}\ndef predict(inputs): ...", "defines no SIGNATURE"),
        (FILE.replace("def predict", "def guess"), r"defines no function predict\(inputs\)"),
        ("def predict(:", "cannot be imported: SyntaxError"),
        ("import nothing_of_the_kind", "cannot be imported: ModuleNotFoundError: .*nothing_of_the_kind"),
        (FILE + "\ndef load(path): raise OSError('no weights')", "load raised OSError: no weights"),
    ],
)
def test_a_faulty_file_is_refused_and_leaves_no_module(tmp_path: Path, text: str, message: str) -> None:
    before = set(sys.modules)
    with pytest.raises(ModelError, match=message):
        load_python_model("sum", "1", written(tmp_path, text))
    assert set(sys.modules) == before


def test_the_configuration_bounds_the_rows_of_a_file(tmp_path: Path) -> None:
    model = load_python_model("sum", "1", written(tmp_path, FILE), config=TritonConfig(max_batch_size=1))
    assert model.signature.max_rows == 1
    model.warm_up()
