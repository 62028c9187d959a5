"""A digest of a fault, equal for equal faults, so that dead letters can be grouped by what is wrong.

It is made of the types of the errors that led to each other, their codes, and the frames that they passed, as
`file:function`. Never of their text, which may quote a row; nor of lines, which move with every edit.
"""

import hashlib
from collections.abc import Iterator
from pathlib import PurePath
from types import TracebackType
from typing import Final, TypeVar

E = TypeVar("E", bound=BaseException)

_DIGITS: Final = 16  # of hexadecimal: 64 bits tell apart more faults than anybody has
_MOST_FRAMES: Final = 64  # of each error: enough for any, but for endless recursion
_MOST_CAUSES: Final = 8
_KEPT_IN: Final = "penstock_frames"


def keep_frames(error: E) -> E:
    """Return an error with its frames noted on itself, and on its causes, so that its traceback may be dropped."""
    for each in _chain(error):
        if each.__traceback__ is not None:
            each.__dict__[_KEPT_IN] = _frames(each.__traceback__)
    return error


def digest_of(error: BaseException) -> str:
    """Return the digest of an error and its causes: 16 hexadecimal digits."""
    parts: list[str] = []
    for each in _chain(error):
        kind = type(each)
        parts += ["", f"{kind.__module__}.{kind.__qualname__}", str(getattr(each, "code", ""))]
        parts += _frames(each.__traceback__) if each.__traceback__ is not None else each.__dict__.get(_KEPT_IN, ())
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:_DIGITS]


def _chain(error: BaseException) -> Iterator[BaseException]:
    raised: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if raised is None:
            return
        yield raised
        raised = raised.__cause__


def _frames(traceback: TracebackType) -> tuple[str, ...]:
    """Return the frames from where the error was raised outwards; folders differ from machine to machine."""
    found: list[str] = []
    at: TracebackType | None = traceback
    while at is not None:
        code = at.tb_frame.f_code
        found.append(f"{PurePath(code.co_filename).name}:{code.co_qualname}")
        at = at.tb_next
    return tuple(found[-_MOST_FRAMES:])
