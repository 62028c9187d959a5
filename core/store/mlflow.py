"""MLflow's model folders: which file of them is the ONNX model.

Source: mlflow.org, "MLflow Models", storage format. `MLmodel` is YAML; of it, mappings in block style are read, which
is how MLflow writes it, and values that take several lines are passed over.
"""

import re
from typing import Final

from penstock.schemas.errors import ModelError

MLMODEL: Final = "MLmodel"
_LINE: Final = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_][\w.-]*):(?: +(?P<value>.*?))? *")


def onnx_file(who: str, text: str) -> str:
    """Return the path of the ONNX model inside the folder, from the text of its `MLmodel`.

    Raises:
        ModelError: the model is of another kind; its text says which, and what to do.
    """
    flavors: dict[str, dict[str, str]] = {}
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        indent = len(found["indent"])
        path = [(depth, key) for depth, key in path if depth < indent] + [(indent, found["key"])]
        keys = [key for _, key in path]
        if keys[0] == "flavors" and len(keys) > 1:
            flavor = flavors.setdefault(keys[1], {})
            if len(keys) == 3:
                flavor[keys[2]] = (found["value"] or "").strip("'\"")
    if "onnx" not in flavors:
        kinds = ", ".join(name for name in flavors if name != "python_function") or "no known kind"
        raise ModelError(
            f"{who}: its {MLMODEL} is of {kinds}, not of onnx; convert the model and log it with mlflow.onnx.log_model"
        )
    if not flavors["onnx"].get("data"):
        raise ModelError(f"{who}: its {MLMODEL} does not say where the ONNX file is: flavors.onnx.data is missing")
    return flavors["onnx"]["data"]
