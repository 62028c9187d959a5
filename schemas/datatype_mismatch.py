"""The sentence with which a service refuses numbers of another datatype, and its reader.

A client that does not know what a model takes learns it from the sentence, so both stand here.
"""

import re
from typing import Final, cast, get_args

from penstock.schemas.datatypes import Datatype

_SENTENCE: Final = re.compile(
    rf"input '(?P<name>.*)' is (?P<datatype>{'|'.join(get_args(Datatype))}); the request declares"
)


def mismatch(name: str, wanted: Datatype, declared: Datatype) -> str:
    """Say that an input of the model is of another datatype than the request declares."""
    return f"input {name!r} is {wanted}; the request declares {declared}"


def read_mismatch(message: str) -> tuple[str, Datatype] | None:
    """Return the input and the datatype that the model takes; None where the message is another one."""
    said = _SENTENCE.match(message)
    return (said["name"], cast("Datatype", said["datatype"])) if said else None
