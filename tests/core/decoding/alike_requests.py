"""Requests of one sender: spelt alike, with other ids, rows and elements; and the same with something damaged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.core.model import TensorSpec
from penstock.schemas.datatypes import Datatype
from tests.core.decoding.written_requests import NUMBERS, Literal, Pairs, written

SIGNATURES: list[tuple[TensorSpec, ...]] = [
    (TensorSpec("x", "FP32", (3,)),),
    (TensorSpec("x", "FP64", (2, 2)),),
    (TensorSpec("x", "FP16", ()),),
    (TensorSpec("x", "INT64", (2,)),),
    (TensorSpec("x", "UINT64", (1,)),),
    (TensorSpec("x", "INT8", (2, 1, 2)),),
    (TensorSpec("x", "BOOL", (3,)),),
    (TensorSpec("x", "BYTES", (1,)),),
    (TensorSpec("x", "BYTES", ()),),
    (TensorSpec("age", "INT32", (1,)), TensorSpec("city", "BYTES", (1,)), TensorSpec("pay", "FP64", ())),
    (TensorSpec("x", "FP32", (2,)), TensorSpec("w", "FP32", (2,))),
]
# What may be put anywhere into a value, or taken for a part of it.
DAMAGE = [
    *(bytes([byte]) for byte in range(256)),
    *(
        b"1e400",
        b"NaN",
        b"-Infinity",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x1",
        b"1,",
        b",,",
        b"1 2",
        b"\xc3(",
        b"\xef\xbb\xbf",
    ),
    *(b"true", b"null", b'"1"', b"[1]", b"[]", b"{}", b'\\"', b"\\u0041", b"7e270", b"9223372036854775808", b"-0"),
    *(b"18446744073709551615", b"-9223372036854775808", b"1" * 30, b"1" * 400, b"]}]}", b"],[", b'"', b'","id":"'),
]


@dataclass
class Spelling:
    """How a sender writes: everything that does not change from request to request."""

    specs: tuple[TensorSpec, ...]
    has_id: bool
    several_rows: bool
    nested: list[bool]
    orders: list[list[str]]
    id_first: bool
    space: str
    double: bool  # FP64 where the model wants FP32
    outputs: list[str] | None  # names asked for
    outputs_first: bool


@st.composite
def spellings(draw: st.DrawFn, specs: tuple[TensorSpec, ...]) -> Spelling:
    members = ["name", "shape", "datatype", "data"]
    return Spelling(
        specs,
        draw(st.booleans()),
        draw(st.booleans()),
        [draw(st.booleans()) for _ in specs],
        [list(draw(st.permutations(members))) if draw(st.booleans()) else members for _ in specs],
        draw(st.booleans()),
        draw(st.sampled_from(["", "", " ", "\n"])),
        draw(st.integers(0, 4)) == 0,
        draw(st.sampled_from([None, None, [], ["y"], ["z", "y"], ["y", "z", "y"], ["nobody"]])),
        draw(st.booleans()),
    )


@st.composite
def requests_of(draw: st.DrawFn, spelling: Spelling) -> bytes:
    """A legal request, or one whose numbers do not fit their datatype."""
    rows = draw(st.integers(1, 4)) if spelling.several_rows else 1
    tensors: list[Any] = []
    for spec, nested, order in zip(spelling.specs, spelling.nested, spelling.orders, strict=True):
        shape = [rows, *spec.shape]
        data: Any = draw(st.lists(elements(spec.datatype), min_size=(size := int(np.prod(shape))), max_size=size))
        if nested:
            for dim in reversed(shape[1:]):
                data = [data[at : at + dim] for at in range(0, len(data), dim)]
        datatype = "FP64" if spelling.double and spec.datatype == "FP32" else spec.datatype
        tensor = {"name": spec.name, "shape": shape, "datatype": datatype, "data": data}
        tensors.append(Pairs([(member, tensor[member]) for member in order]))
    members: list[tuple[str, Any]] = [("inputs", tensors)]
    if spelling.outputs is not None:
        asked = ("outputs", [Pairs([("name", name)]) for name in spelling.outputs])
        members.insert(0 if spelling.outputs_first else 1, asked)
    if spelling.has_id:
        members.insert(0 if spelling.id_first else len(members), ("id", draw(IDS)))
    return written(Pairs(members), spelling.space, False).encode()


IDS = st.from_regex(r"r-[0-9]{1,4}", fullmatch=True) | st.sampled_from(
    ["", "é", "\x7f", "a\nb", 'a"b', "\\", "]}]}", "  "]
)
_TAME = st.integers(0, 100) | st.floats(-100, 100).map(lambda number: round(number, 6))
_WORDS = st.sampled_from(["", "a", "Zürich", 'quo"te', "back\\slash", "],[", "]}]}", "1", "\n", '","'])


def elements(datatype: Datatype) -> st.SearchStrategy[Any]:
    if datatype == "BOOL":
        return st.booleans()
    if datatype == "BYTES":
        return _WORDS
    if datatype.startswith("FP"):
        return st.one_of(_TAME, _TAME, NUMBERS)
    return st.one_of(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), NUMBERS)


@st.composite
def damaged(draw: st.DrawFn, value: bytes) -> bytes:
    """A value with something put in, taken out or written over, at one place or two."""
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(value)))
        stop = min(len(value), start + draw(st.sampled_from([0, 0, 1, 1, 2, 5])))
        value = value[:start] + draw(st.sampled_from([b"", *DAMAGE])) + value[stop:]
    return value


__all__ = ["SIGNATURES", "Literal", "Spelling", "damaged", "requests_of", "spellings"]
