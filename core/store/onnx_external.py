"""Which other files an ONNX model takes its tensors from.

Source: onnx/onnx, onnx/onnx.proto, TensorProto.external_data, and docs/ExternalData.md. Only the fields that lead to
tensors are declared; the rest of the file is passed over.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from penstock.core.distribution import install_command
from penstock.schemas.errors import ModelError

_PACKAGE: Final = "penstock.onnx.external"
# message -> field: its number, and its message; None is text.
_MESSAGES: Final[dict[str, dict[str, tuple[int, str | None]]]] = {
    "Model": {"graph": (7, "Graph"), "training": (20, "Training"), "functions": (25, "Function")},
    "Training": {"initialization": (1, "Graph"), "algorithm": (2, "Graph")},
    "Function": {"node": (7, "Node")},
    "Graph": {"node": (1, "Node"), "initializer": (5, "Tensor"), "sparse": (15, "Sparse")},
    "Node": {"attribute": (5, "Attribute")},
    "Attribute": {
        "t": (5, "Tensor"), "g": (6, "Graph"), "tensors": (10, "Tensor"), "graphs": (11, "Graph"),
        "sparse": (22, "Sparse"), "sparses": (23, "Sparse"),
    },
    "Sparse": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {"external_data": (13, "Entry")},
    "Entry": {"key": (1, None), "value": (2, None)},
}  # fmt: skip


def external_files(who: str, path: Path, folder: Path) -> list[Path]:
    """Return the other files that a model's tensors are in.

    Args:
        who: the model, for messages.
        path: its ONNX file.
        folder: of its version.

    Raises:
        ModelError: one lies outside the folder or is not there, or the file is no ONNX.
    """
    root = folder.resolve()
    found: dict[Path, None] = {}
    for location in _locations(who, path):
        target = (path.parent / location).resolve()
        if not target.is_relative_to(root):
            raise ModelError(f"{who}: {path.name} takes data from {location!r}, which is outside its folder")
        if not target.is_file():
            raise ModelError(f"{who}: {path.name} takes data from {location!r}, which is not there")
        found[target] = None
    return list(found)


def _locations(who: str, path: Path) -> Iterator[str]:
    model = _model_class()()
    from google.protobuf.message import DecodeError  # here, for `_model_class` tells who lacks it what to install

    try:
        model.ParseFromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{who} cannot be loaded from {path}: {error.strerror}") from error
    except DecodeError as error:
        raise ModelError(f"{who} cannot be loaded from {path}: it is no ONNX file") from error
    waiting = [model]
    while waiting:
        message = waiting.pop()
        if message.DESCRIPTOR.name == "Entry":
            if message.key == "location":
                yield message.value
            continue
        for _, children in message.ListFields():
            waiting.extend(children)


@cache
def _model_class() -> Any:
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise ModelError(f"reading an ONNX file needs protobuf: {install_command('worker')}") from None
    file = descriptor_pb2.FileDescriptorProto(name="penstock/onnx_external.proto", package=_PACKAGE, syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, child) in fields.items():
            if child is None:
                message.field.add(name=field, number=number, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
            else:  # repeated all: one that is not has one element
                message.field.add(
                    name=field, number=number, type=kinds.TYPE_MESSAGE, type_name=f".{_PACKAGE}.{child}",
                    label=kinds.LABEL_REPEATED,
                )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Model"))
