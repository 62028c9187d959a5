"""Read a config.pbtxt, protobuf's text form of Triton's ModelConfig.

Fields that concern Triton alone (instance groups, optimization, rate limits ...) are passed over; those that would
change a model's answers and are not served are refused.
"""

from pathlib import Path
from typing import Any, Final

from penstock.core.model import TensorSpec
from penstock.core.triton_config import Backend, TritonConfig, VersionPolicy
from penstock.core.triton_schema import model_config_class
from penstock.schemas.datatypes import DTYPES, Datatype
from penstock.schemas.errors import ModelError

# What stands under platform or backend, by the documentation of Triton's onnxruntime and python backends.
_BACKENDS: Final[dict[str, Backend]] = {
    "onnxruntime_onnx": "onnxruntime",
    "onnxruntime": "onnxruntime",
    "python": "python",
}
_DATATYPES: Final[dict[str, Datatype]] = {"TYPE_STRING" if name == "BYTES" else f"TYPE_{name}": name for name in DTYPES}
_MAX_BYTES: Final = 1024 * 1024  # real files have a few hundred


def read_config(path: Path, *, model: str) -> TritonConfig:
    """Read the configuration of a model.

    Args:
        path: the config.pbtxt.
        model: the name of the model's folder, which a `name` in the file must equal.

    Raises:
        ModelError: the file cannot be read or parsed (with line and column), or asks for what is not served.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: larger than {_MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    return parse_config(text, model=model, place=str(path))


def parse_config(text: str, *, model: str, place: str = "config.pbtxt") -> TritonConfig:
    """Parse the text of a configuration; see `read_config`."""
    message = model_config_class()()
    from google.protobuf import text_format  # here, for `model_config_class` tells who lacks it what to install

    try:
        text_format.Parse(text, message, allow_unknown_field=True)
    except text_format.ParseError as error:
        # Its own message begins with line and column, as in "3:5 : ...".
        raise ModelError(f"{place}:{error}") from None
    except RecursionError:
        raise ModelError(f"{place}: nested too deep") from None
    _refuse_unserved(message, place)
    if message.name and message.name != model:
        raise ModelError(f"{place}: the name is {message.name!r}, but the folder is {model!r}")
    if message.max_batch_size < 0:
        raise ModelError(f"{place}: max_batch_size is {message.max_batch_size}")
    batching = message.dynamic_batching
    delayed = batching.HasField("max_queue_delay_microseconds")
    return TritonConfig(
        place=place,
        backend=_backend(message, place),
        filename=_filename(message, place),
        max_batch_size=message.max_batch_size if message.HasField("max_batch_size") else None,
        inputs=tuple(_tensor(tensor, place) for tensor in message.input),
        outputs=tuple(_tensor(tensor, place) for tensor in message.output),
        policy=_policy(message, place),
        max_delay_s=batching.max_queue_delay_microseconds / 1e6 if delayed else None,
        preferred_rows=tuple(batching.preferred_batch_size),
        **_parameters(message, place),
    )


def _refuse_unserved(message: Any, place: str) -> None:
    for field in ("sequence_batching", "ensemble_scheduling"):
        if message.HasField(field):
            raise ModelError(f"{place}: {field} is not supported")
    for tensor in (*message.input, *message.output):
        if tensor.HasField("reshape"):
            raise ModelError(f"{place}: {tensor.name!r}: reshape is not supported; declare the model's own dims")


def _backend(message: Any, place: str) -> Backend | None:
    found: Backend | None = None
    for field in ("platform", "backend"):
        value = getattr(message, field)
        if value and value not in _BACKENDS:
            raise ModelError(f"{place}: {field} {value!r} is not supported; these are: {', '.join(_BACKENDS)}")
        found = _BACKENDS.get(value, found)
    return found


def _filename(message: Any, place: str) -> str | None:
    name = str(message.default_model_filename)
    if name and Path(name).name != name:
        raise ModelError(f"{place}: default_model_filename {name!r} is not a plain file name")
    return name or None


def _tensor(tensor: Any, place: str) -> TensorSpec:
    type_name = type(tensor).DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number
    datatype = _DATATYPES.get(type_name[tensor.data_type].name)
    if datatype is None:
        raise ModelError(f"{place}: {tensor.name!r} has no data_type, or one that is not supported")
    for dim in tensor.dims:
        if dim < 1 and dim != -1:
            raise ModelError(f"{place}: {tensor.name!r} has a dimension of {dim}")
    return TensorSpec(tensor.name, datatype, tuple(tensor.dims))


def _parameters(message: Any, place: str) -> dict[str, Any]:
    """Return those of the parameters that are ours; a backend may have others of its own."""
    given = {each.key: each.value.string_value for each in message.parameters}
    found: dict[str, Any] = {}
    if "isolation" in given:
        found["isolation"] = given["isolation"]
        if found["isolation"] not in ("thread", "process"):
            raise ModelError(f"{place}: the parameter isolation is {given['isolation']!r}, not 'thread' or 'process'")
    if "run_timeout_s" in given:
        try:
            seconds = float(given["run_timeout_s"])
        except ValueError:
            seconds = -1.0
        if not 0.1 <= seconds <= 3600.0:
            raise ModelError(f"{place}: the parameter run_timeout_s is {given['run_timeout_s']!r}, not 0.1 to 3600")
        found["run_timeout_s"] = seconds
    return found


def _policy(message: Any, place: str) -> VersionPolicy:
    chosen = message.version_policy.WhichOneof("policy_choice")
    if chosen == "all":
        return VersionPolicy(latest=None)
    if chosen == "specific":
        versions = tuple(message.version_policy.specific.versions)
        if not versions:
            raise ModelError(f"{place}: version_policy specific names no version")
        return VersionPolicy(latest=None, specific=versions)
    # Triton takes 0 and nothing at all for 1.
    return VersionPolicy(latest=message.version_policy.latest.num_versions or 1)
