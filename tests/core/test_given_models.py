"""Models that a program brings itself."""

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.core.callable_model import CallableModel
from penstock.core.given_models import given_models
from penstock.core.isolation.choice import Isolation
from penstock.core.isolation.isolated_model import IsolatedModel
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.errors import ConfigurationError, ModelError

SAME = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("x", "FP32", (3,)),))
ROWS = {"x": np.ones((2, 3), np.float32)}

FILE = """
from penstock import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("x", "FP32", (3,)),))

def predict(inputs):
    return {"x": inputs["x"] * 5}
"""


def same(inputs: dict[str, Any]) -> dict[str, Any]:
    return inputs


def test_a_function_with_its_signature_is_a_model() -> None:
    (model,) = given_models({"same": (same, SAME)})
    assert (model.name, model.version, model.signature) == ("same", "1", SAME)
    assert model.run(ROWS)["x"].tolist() == ROWS["x"].tolist()


def test_a_module_like_model_py_is_a_model() -> None:
    module = types.ModuleType("scaling")
    exec(FILE, module.__dict__)
    (model,) = given_models({"scaler": module})
    assert model.run(ROWS)["x"][0, 0] == 5


def test_a_python_file_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "scaling.py").write_text(FILE)
    (model,) = given_models({"scaler": tmp_path / "scaling.py"})
    assert model.run(ROWS)["x"][0, 0] == 5


def test_a_file_can_have_a_process_of_its_own_and_a_function_cannot(tmp_path: Path) -> None:
    (tmp_path / "scaling.py").write_text(FILE)
    apart = Isolation(own_process=True)
    (model,) = given_models({"scaler": tmp_path / "scaling.py"}, isolation=apart)
    assert isinstance(model, IsolatedModel)
    assert model.run(ROWS)["x"][0, 0] == 5
    model.close()
    with pytest.raises(ConfigurationError, match="model 'same' is part of this program and cannot run in a process"):
        given_models({"same": (same, SAME)}, isolation=apart)


def test_a_model_is_taken_as_it_is() -> None:
    given = CallableModel("same", "7", same, SAME)
    assert given_models({"same": given}) == [given]


def test_each_thing_that_cannot_be_served_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    faults = {
        "lonely": same,
        "number": 3,
        "absent": "absent.onnx",
        "other": tmp_path / "model.pt",
        "same": CallableModel("another", "1", same, SAME),
        "a b": (same, SAME),
        "half": (same,),
    }
    with pytest.raises(ConfigurationError) as refused:
        given_models({"good": (same, SAME), **faults})

    said = str(refused.value).splitlines()
    assert len(said) == len(faults)
    assert "give (function, Signature(inputs=(...), outputs=(...)))" in said[0]
    assert "cannot serve a thing of type int" in said[1]
    assert "no such file: absent.onnx" in said[2]
    assert "is neither .onnx nor .py" in said[3]
    assert "model 'same' is called 'another' by itself" in said[4]
    assert "'a b' is no model name" in said[5]


def test_a_file_that_cannot_be_loaded_is_the_models_fault(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        given_models({"broken": tmp_path / "broken.py"})


def test_none_is_a_fault() -> None:
    with pytest.raises(ConfigurationError, match="no models were given"):
        given_models({})
