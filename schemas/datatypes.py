"""The tensor datatypes of the Open Inference Protocol v2, and their numpy equivalents.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md, "Tensor Data Types".
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import DTypeLike

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]

# Little-endian on every machine: the same dtypes read and write the raw form on the wire.
DTYPES: Final[dict[Datatype, np.dtype[np.generic]]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
}

_DATATYPES: Final[dict[np.dtype[np.generic], Datatype]] = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(dtype: DTypeLike) -> Datatype:
    """Return the protocol's name for a numpy dtype.

    Strings and Python objects (`U`, `S`, `O`) are BYTES.

    Raises:
        TypeError: the protocol has no such type (complex numbers, dates, structures).
    """
    resolved = np.dtype(dtype)
    if resolved.kind in "USO":
        return "BYTES"
    datatype = _DATATYPES.get(resolved) or _DATATYPES.get(resolved.newbyteorder("<"))
    if datatype is None:
        raise TypeError(f"no Open Inference Protocol datatype for numpy dtype {resolved}")
    return datatype
