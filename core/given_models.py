"""Models that a program brings itself, instead of a folder of them.

    {
        "doubler": (double, Signature(inputs=(...), outputs=(...))),  a function and what it takes and gives
        "scaler": scaling,                                           a module or object with SIGNATURE and predict
        "iris": "iris.onnx",                                         a file, .onnx or .py
        "joiner": CallableModel("joiner", "3", join, signature),     a model, with a version of its own
    }

All but the last are version 1.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from penstock.core.callable_model import CallableModel
from penstock.core.isolation.choice import Isolation
from penstock.core.isolation.process import Opening
from penstock.core.model import Model, Signature
from penstock.core.onnx_model import OnnxModel
from penstock.core.python_model import load_python_model
from penstock.core.settings import NAME
from penstock.schemas.errors import ConfigurationError, ModelError

_VERSION: Final = "1"
_HERE: Final = Isolation()
_OF_A_MODEL: Final = ("name", "version", "signature", "steady", "run", "warm_up", "close")


def given_models(
    given: Mapping[str, object],
    *,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    intra_op_threads: int = 1,
    isolation: Isolation = _HERE,
) -> list[Model]:
    """Make a model of each thing given; none is warmed up yet.

    Args:
        given: by the name that requests use.
        providers: ONNX Runtime's execution providers for ONNX files, the preferred first.
        intra_op_threads: threads that share the work of one batch of an ONNX file.
        isolation: where models run. Only those that are files can have a process of their own.

    Raises:
        ConfigurationError: there is none, or one is nothing that can be served; a line for each.
        ModelError: a file cannot be loaded, or a signature cannot be.
    """
    if not given:
        raise ConfigurationError("no models were given")
    made: list[Model] = []
    faults: list[str] = []
    kind: type[ConfigurationError | ModelError] = ModelError
    for name, thing in given.items():
        try:
            made.append(_model(name, thing, providers, intra_op_threads, isolation))
        except (ConfigurationError, ModelError) as error:
            kind = ConfigurationError if isinstance(error, ConfigurationError) else kind
            faults.append(str(error))
    if faults:
        raise kind("\n".join(faults))
    return made


def _model(name: str, thing: Any, providers: Sequence[str], intra_op_threads: int, isolation: Isolation) -> Model:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no model name: up to 128 letters, digits, '.', '_' and '-'")
    if isinstance(thing, str | Path):
        return isolation.open(name, _VERSION, _opening(name, Path(thing), providers, intra_op_threads))
    if isolation.own_process:
        raise ConfigurationError(
            f"model {name!r} is part of this program and cannot run in a process of its own; "
            "give a .onnx or .py file, or set models.isolation to thread"
        )
    if all(hasattr(thing, member) for member in _OF_A_MODEL):
        model: Model = thing
        if model.name != name:
            raise ConfigurationError(f"model {name!r} is called {model.name!r} by itself; give both one name")
        return model
    signature = getattr(thing, "SIGNATURE", None)
    if isinstance(signature, Signature) and callable(getattr(thing, "predict", None)):
        return CallableModel(name, _VERSION, thing.predict, signature)
    if isinstance(thing, tuple) and len(thing) == 2 and callable(thing[0]) and isinstance(thing[1], Signature):
        return CallableModel(name, _VERSION, thing[0], thing[1])
    if callable(thing):
        raise ConfigurationError(
            f"model {name!r}: a function does not say what it takes and gives; "
            "give (function, Signature(inputs=(...), outputs=(...)))"
        )
    raise ConfigurationError(
        f"model {name!r}: cannot serve a thing of type {type(thing).__name__}; give (function, Signature(...)), "
        "an object with SIGNATURE and predict(inputs), or a .onnx or .py file"
    )


def _opening(name: str, path: Path, providers: Sequence[str], intra_op_threads: int) -> Opening:
    if not path.is_file():
        raise ConfigurationError(f"model {name!r}: no such file: {path}")
    if path.suffix == ".onnx":
        return partial(OnnxModel, name, _VERSION, path, providers=providers, intra_op_threads=intra_op_threads)
    if path.suffix == ".py":
        return partial(load_python_model, name, _VERSION, path)
    raise ConfigurationError(f"model {name!r}: {path} is neither .onnx nor .py")
