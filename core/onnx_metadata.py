"""Who made an ONNX file, and for which operators: what ONNX Runtime does not tell.

Source: onnx/onnx, onnx/onnx.proto, messages ModelProto and OperatorSetIdProto. Only the fields that are read here are
declared, as a protobuf descriptor made in code; the graph is passed over.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from penstock.core.distribution import install_command
from penstock.schemas.errors import ModelError

_PACKAGE = "penstock.onnx"  # not ONNX's own, whose package another library may have registered


@dataclass(frozen=True, slots=True)
class OnnxMetadata:
    """What an ONNX file says about itself.

    Attributes:
        producer: name and version of the exporter; empty where it does not say.
        ir_version: of the file format.
        opsets: operator set -> version; ONNX's own set is called ai.onnx.
    """

    producer: str
    ir_version: int
    opsets: dict[str, int]


def read_metadata(path: Path) -> OnnxMetadata:
    """Read a file's metadata.

    Raises:
        ModelError: it cannot be read or is no ONNX file, or protobuf is not installed.
    """
    message = _model_class()()
    from google.protobuf.message import DecodeError  # here, for `_model_class` tells who lacks it what to install

    try:
        message.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise ModelError(f"{path} is no ONNX file that can be read: {error}") from error
    return OnnxMetadata(
        f"{message.producer_name} {message.producer_version}".strip(),
        message.ir_version,
        {opset.domain or "ai.onnx": opset.version for opset in message.opset_import},
    )


@cache
def _model_class() -> Any:
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise ModelError(f"reading an ONNX file needs protobuf: {install_command('worker')}") from None
    file = descriptor_pb2.FileDescriptorProto(name="penstock/onnx.proto", package=_PACKAGE, syntax="proto3")
    opset = file.message_type.add(name="OperatorSetIdProto")
    model = file.message_type.add(name="ModelProto")
    field = descriptor_pb2.FieldDescriptorProto
    opset.field.add(name="domain", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    opset.field.add(name="version", number=2, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    model.field.add(name="ir_version", number=1, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    model.field.add(name="producer_name", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    model.field.add(name="producer_version", number=3, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    model.field.add(
        name="opset_import",
        number=8,
        type=field.TYPE_MESSAGE,
        type_name=f".{_PACKAGE}.OperatorSetIdProto",
        label=field.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ModelProto"))
