"""A Python model on disk: `<model>/<version>/model.py`.

The file defines

    SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (4,)),), outputs=(TensorSpec("y", "FP32", ()),))

    def predict(inputs):            # dict of arrays in, dict of arrays out
        return {"y": inputs["x"].sum(axis=1)}

and, if it likes, `load(path)`, called once with the version's folder, and `close()`. Modules beside it are
imported relatively (`from .features import scale`), so that two versions never share one. Loading runs the file:
who can write to the repository can run code in the worker. What runs is the source as it stands: cached bytecode is
neither read nor written, for a manifest vouches for sources only.
"""

import importlib.util
import itertools
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from penstock.core.callable_model import CallableModel
from penstock.core.model import Signature
from penstock.core.triton_config import TritonConfig
from penstock.schemas.errors import ModelError

_serial: Final = itertools.count(1)  # a version that is loaded again must not meet its old modules


def load_python_model(name: str, version: str, path: Path, *, config: TritonConfig | None = None) -> CallableModel:
    """Import a model.py and wrap it.

    Args:
        name: what requests call the model.
        version: what requests call this version.
        path: the file.
        config: narrows the declared signature.

    Raises:
        ModelError: the file cannot be imported, lacks `SIGNATURE` or `predict`, its `load` raised, or it disagrees
            with `config`.
    """
    who = f"{name}@{version}"
    module = _import(who, path)
    try:
        signature = getattr(module, "SIGNATURE", None)
        if not isinstance(signature, Signature):
            raise ModelError(f"{who}: {path} defines no SIGNATURE, a penstock.core.model.Signature")
        if not callable(getattr(module, "predict", None)):
            raise ModelError(f"{who}: {path} defines no function predict(inputs)")
        if hasattr(module, "load"):
            _call_load(who, module, path.parent)
        return CallableModel(
            name,
            version,
            module.predict,
            config.apply(signature) if config else signature,
            on_close=lambda: _close(module),
        )
    except BaseException:
        _forget(module)
        raise


class _SourceLoader(SourceFileLoader):
    """Python's own, without `__pycache__`."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Compile the source."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _import(who: str, path: Path) -> ModuleType:
    # A package whose __init__ is model.py: relative imports then find the files beside it.
    module_name = f"_penstock_model_{next(_serial)}"
    for folder in (path.parent, *(inner for inner in path.parent.rglob("*") if inner.is_dir())):
        sys.path_importer_cache[str(folder)] = FileFinder(
            str(folder), (ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceLoader, SOURCE_SUFFIXES)
        )
    loader = _SourceLoader(module_name, str(path))
    spec = importlib.util.spec_from_file_location(
        module_name, path, loader=loader, submodule_search_locations=[str(path.parent)]
    )
    if spec is None or spec.loader is None:
        raise ModelError(f"{who}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        _forget(module)
        if not isinstance(error, Exception | SystemExit):
            raise
        raise ModelError(f"{who}: {path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _call_load(who: str, module: ModuleType, folder: Path) -> None:
    try:
        module.load(folder)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{who}: load raised {type(error).__name__}: {error}") from error


def _close(module: ModuleType) -> None:
    try:
        if hasattr(module, "close"):
            module.close()
    finally:
        _forget(module)


def _forget(module: ModuleType) -> None:
    for loaded in list(sys.modules):
        if loaded == module.__name__ or loaded.startswith(f"{module.__name__}."):
            del sys.modules[loaded]
