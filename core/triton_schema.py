"""The part of Triton's ModelConfig message that Penstock reads, as a protobuf descriptor made in code.

Source: triton-inference-server/common, protobuf/model_config.proto. Declared as proto2, unlike there, so that a
field that is not set can be told from one set to zero. The text form has names only, so field numbers are ours.
"""

from functools import cache
from typing import Any, Final

from penstock.core.distribution import install_command
from penstock.schemas.errors import ModelError

# By TensorFlow's heritage a datatype is called TYPE_<name>; the numbers are those of model_config.proto.
_DATATYPES: Final = (
    *("INVALID", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "STRING", "BF16"),
)

# protobuf can pass over fields it does not know, but not a list of messages without a colon, such as
# `instance_group [ { ... } ]`. So every field that is one, or that holds one however deep, is declared; what else
# such a message has is unknown, and passed over.
_LISTS: Final = (
    *("resources", "rate_limiter", "secondary_devices", "parameters"),
    *("cuda", "graph_spec", "graph_lower_bound", "input"),
    *("execution_accelerators", "gpu_execution_accelerator", "cpu_execution_accelerator"),
    *("control_input", "control", "state", "initial_state", "priority_queue_policy"),
    *("step", "input_map", "output_map", "inputs", "agents", "metric_control"),
)
_PASSED_OVER: Final = (
    *("instance_group", "optimization", "cc_model_filenames", "metric_tags", "model_warmup"),
    *("batch_input", "batch_output", "model_repository_agents", "model_metrics"),
)

# message -> (field, kind); kind ends in * when repeated, and is a message's name when it is no scalar.
_MESSAGES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "Any": tuple((name, "Any*") for name in _LISTS),
    "ModelInput": (("name", "string"), ("data_type", "enum"), ("dims", "int64*"), ("reshape", "Any")),
    "ModelOutput": (("name", "string"), ("data_type", "enum"), ("dims", "int64*"), ("reshape", "Any")),
    "Latest": (("num_versions", "uint32"),),
    "Specific": (("versions", "int64*"),),
    "ModelVersionPolicy": (("latest", "Latest"), ("all", "Any"), ("specific", "Specific")),
    "ModelParameter": (("string_value", "string"),),
    "Parameters": (("key", "string"), ("value", "ModelParameter")),  # a map, as text has it
    "ModelDynamicBatching": (
        ("preferred_batch_size", "int32*"),
        ("max_queue_delay_microseconds", "uint64"),
        ("priority_queue_policy", "Any*"),
    ),
    "ModelConfig": (
        ("name", "string"),
        ("platform", "string"),
        ("backend", "string"),
        ("version_policy", "ModelVersionPolicy"),
        ("max_batch_size", "int32"),
        ("input", "ModelInput*"),
        ("output", "ModelOutput*"),
        ("default_model_filename", "string"),
        ("dynamic_batching", "ModelDynamicBatching"),
        ("sequence_batching", "Any"),
        ("ensemble_scheduling", "Any"),
        ("parameters", "Parameters*"),
        *((name, "Any*") for name in _PASSED_OVER),
    ),
}

_ONE_OF: Final = "ModelVersionPolicy"  # its fields exclude each other
_PACKAGE: Final = "penstock.triton"  # not Triton's own, whose package another library may have registered


@cache
def model_config_class() -> Any:
    """Return the message class.

    Raises:
        ModelError: protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise ModelError(f"config.pbtxt needs protobuf: {install_command('worker')}") from None
    file = descriptor_pb2.FileDescriptorProto(name="penstock/triton.proto", package=_PACKAGE, syntax="proto2")
    enum = file.enum_type.add(name="DataType")
    for number, datatype in enumerate(_DATATYPES):
        enum.value.add(name=f"TYPE_{datatype}", number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == _ONE_OF:
            message.oneof_decl.add(name="policy_choice")
        for number, (field_name, kind) in enumerate(fields, start=1):
            field = message.field.add(name=field_name, number=number)
            if name == _ONE_OF:
                field.oneof_index = 0
            _set_type(field, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ModelConfig"))


def _set_type(field: Any, kind: str) -> None:
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.removesuffix("*")
    if kind == "enum":
        field.type, field.type_name = field.TYPE_ENUM, f".{_PACKAGE}.DataType"
    elif kind in _MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
