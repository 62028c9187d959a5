"""ONNX Runtime's own ground: its session, its types and its errors, which no other module sees."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from penstock.core.distribution import install_command
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.datatypes import Datatype
from penstock.schemas.errors import ModelError, ValueRefused

# ONNX's element types as ONNX Runtime spells them; bfloat16 and complex have no numpy or protocol equivalent.
_DATATYPES: Final[dict[str, Datatype]] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_CODE: Final = re.compile(r"^\[ONNXRuntimeError\] : \d+ : ")
# How its operators say that an index points beyond what it points into: Gather and Scatter, -ND, and GatherElements.
_BEYOND: Final = re.compile(r"indices element out of data bounds|invalid ind(ex|ice) found|Out of range value in index")
_QUIET: Final = 4  # fatal only: everything else is raised, and would be told twice


def open_session(who: str, path: Path, providers: Sequence[str], intra_op_threads: int) -> Any:
    """Load a file into an `onnxruntime.InferenceSession`; see `OnnxModel` for the arguments.

    Raises:
        ModelError: ONNX Runtime or a provider is missing, or the file is no model it can run.
    """
    # The runtime uploads telemetry unless it is told not to before it is imported. Source: its Privacy.md, since 1.32.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError:
        raise ModelError(f"{who} needs ONNX Runtime: {install_command('worker')}") from None
    available = onnxruntime.get_available_providers()
    for provider in providers:
        if provider not in available:
            raise ModelError(f"{who}: provider {provider} is not available; these are: {', '.join(available)}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    # Spinning threads are faster alone, but here they would take the cores from Kafka's event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    with translated(f"{who} cannot be loaded from {path}"):
        session = onnxruntime.InferenceSession(path, options, providers=list(providers))
    # A provider whose libraries are missing is dropped with no more than a warning.
    dropped = [provider for provider in providers if provider not in session.get_providers()]
    if dropped:
        raise ModelError(f"{who}: provider {', '.join(dropped)} could not be started")
    return session


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what ONNX Runtime raises into a ModelError: `what`, and the first line of its reason.

    Raises:
        ValueRefused: an index is beyond what it points into; it is not quoted.
        ModelError: all else.
    """
    try:
        yield
    except Exception as error:  # ONNX Runtime's errors have no base of their own
        reason = _CODE.sub("", str(error)).partition("\n")[0]
        if _BEYOND.search(reason):
            raise ValueRefused(f"{what}: an index is beyond what it points into") from error
        raise ModelError(f"{what}: {reason}") from error


def signature_of(who: str, session: Any) -> Signature:
    """Read a session's signature; it is batched when the first dimension of every input and output is free.

    Raises:
        ModelError: an input or output is no tensor, or of a type the protocol does not have.
    """
    tensors = [*session.get_inputs(), *session.get_outputs()]
    batched = bool(session.get_inputs()) and all(
        tensor.shape and not isinstance(tensor.shape[0], int) for tensor in tensors
    )
    return Signature(
        tuple(_spec(f"{who}: input", tensor, batched) for tensor in session.get_inputs()),
        tuple(_spec(f"{who}: output", tensor, batched) for tensor in session.get_outputs()),
        batched=batched,
    )


def _spec(what: str, tensor: Any, batched: bool) -> TensorSpec:
    datatype = _DATATYPES.get(tensor.type)
    if datatype is None:
        # scikit-learn's classifiers give a dictionary for each row unless told otherwise.
        hint = "; export with options={'zipmap': False}" if "map(" in tensor.type else ""
        raise ModelError(f"{what} {tensor.name!r} is a {tensor.type}, which cannot be served{hint}")
    dims = tuple(dim if isinstance(dim, int) else -1 for dim in tensor.shape)
    return TensorSpec(tensor.name, datatype, dims[1:] if batched else dims)
