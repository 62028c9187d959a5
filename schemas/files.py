"""Files that senders put in a request's place: arrays and objects as Python's libraries save them.

None is read. An npy file may hold pickled objects, and a pickle runs whatever it says; an archive may hold a thousand
times what it weighs. All three are told from requests and tensors by how they begin and end.

Sources: numpy.lib.format ("Format Version 1.0"), PKWARE's APPNOTE.TXT 4.3.7 and 4.3.16, Python's pickletools.
"""

from enum import Enum
from typing import Final

from penstock.schemas.errors import ErrorCode, RequestError

_NPY: Final = b"\x93NUMPY"
_ZIP, _ZIP_END = b"PK\x03\x04", b"PK\x05\x06"
_ZIP_TAIL: Final = 22 + 65_535  # bytes of the last part of an archive, its comment included
_PICKLES: Final = tuple(b"\x80%c" % protocol for protocol in (2, 3, 4, 5))

FILE_STARTS: Final = (_NPY, _ZIP)
"""How a value begins that is no tensor's bytes, or very likely none: `file_in` is sure."""


class File(Enum):
    """What a value is instead of a request."""

    NPY = "an npy file"
    ZIP = "a zip archive, as npz files are"
    PICKLE = "a pickle"


def file_in(value: bytes) -> File | None:
    """Return which kind of file a value is; None for what may be a request."""
    if value.startswith(_NPY):
        return File.NPY
    if value.startswith(_ZIP) and value.rfind(_ZIP_END, -_ZIP_TAIL) >= 0:
        return File.ZIP
    if value.startswith(_PICKLES) and value.endswith(b"."):
        return File.PICKLE
    return None


def not_served(file: File) -> RequestError:
    """Return the error of a file in a request's place."""
    return RequestError(ErrorCode.UNSUPPORTED, f"the value is {file.value}; JSON and bare elements are read")
