"""Requests as somebody might write them: legal ones, broken ones, and what only looks legal."""

import json
from typing import Any

from hypothesis import strategies as st

from penstock.schemas.datatypes import Datatype


class Pairs(list[tuple[str, Any]]):
    """A JSON object as it is written: in this order, its keys perhaps given twice."""


def written(node: Any, space: str, escape: bool) -> str:
    if isinstance(node, Pairs):
        members = (f"{key(name, escape)}{space}:{space}{written(each, space, escape)}" for name, each in node)
        return "{" + f"{space},".join(members) + "}"
    if isinstance(node, list):
        return "[" + f",{space}".join(written(each, space, escape) for each in node) + "]"
    return node.text if isinstance(node, Literal) else json.dumps(node, ensure_ascii=escape)


def key(name: str, escape: bool) -> str:
    # `\u0065` is an e that no search for an e finds.
    return json.dumps(name).replace("e", "\\u0065").replace("d", "\\u0064") if escape else json.dumps(name)


class Literal:
    """A number as it is written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


INTEGERS = st.sampled_from(
    [0, 1, -1, 127, 128, 255, 256, 65504, 65520, 2**53 + 1, 2**60 + 2**36 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)]
)
NUMBERS = (
    INTEGERS
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["1e2", "1E2", "1.0", "-0", "-0.0", "1e-400", "1e39", "3.5e38", "1e300", "65519.9"]).map(Literal)
    | st.sampled_from([str(2**64), str(-(2**63) - 1), "1" + "0" * 30]).map(Literal)
)
ODD = st.sampled_from([True, False, None, "1", "", [], [1], Pairs(), Pairs([("data", [1])])])
DECOYS = st.sampled_from(
    [
        None,
        "",
        "a",
        'x"data":[1,2,3]}]}',
        "]}]}",
        "é",
        1,
        [1, 2, 3],
        [[[[[[[[[1]]]]]]]]],
        Pairs([("data", [1, 2, 3])]),
        Pairs([("name", "x"), ("shape", [1, 3]), ("datatype", "FP32"), ("data", [1, 2, 3])]),
        Pairs([("inputs", [Pairs([("name", "x"), ("data", [1, 2, 3])])])]),
        Pairs([("binary_data_size", 12)]),
        [Pairs([("name", "y")])],
        [Pairs([("name", "z")])],
    ]
)


@st.composite
def tensors(draw: st.DrawFn, datatype: Datatype) -> Pairs:
    if draw(st.booleans()):  # nothing is wrong but what is put around it
        digits = draw(st.lists(st.integers(0, 9), min_size=3, max_size=3))
        good = [("name", draw(st.sampled_from(["x", ""]))), ("shape", [1, 3]), ("datatype", datatype), ("data", digits)]
        return shuffled(draw, good, ["name", "shape", "datatype", "data", "parameters", "extra"])
    rows = draw(st.sampled_from([1, 1, 1, 1, 2]))
    count = rows * 3
    data: list[Any] = draw(st.lists(draw(st.sampled_from([NUMBERS, INTEGERS])), min_size=count, max_size=count))
    if draw(st.integers(0, 3)) == 0:
        data[draw(st.integers(0, count - 1))] = draw(ODD)
    if draw(st.integers(0, 7)) == 0:
        data = [data[at : at + 3] for at in range(0, count, 3)]
    shape = draw(st.sampled_from([[rows, 3]] * 9 + [[rows, 3.0], [True, 3], [1.0, 3], [3], [rows, 3, 1], [rows, 4]]))
    members: list[tuple[str, Any]] = [
        ("name", draw(st.sampled_from(["x", "x", "x", "", "", "y", "é", None]))),
        ("shape", shape),
        ("datatype", draw(st.sampled_from([datatype] * 8 + ["FP64", "FP32", "FP31"]))),
        ("data", data),
    ]
    return shuffled(draw, members, ["name", "shape", "datatype", "data", "parameters", "extra"])


def shuffled(draw: st.DrawFn, members: list[tuple[str, Any]], names: list[str]) -> Pairs:
    """The members in the protocol's order or in another, some decoys among them or over them."""
    if draw(st.booleans()):
        members = draw(st.permutations(members))
    members = list(members)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        members.insert(draw(st.integers(0, len(members))), (draw(st.sampled_from(names)), draw(DECOYS)))
    return Pairs(members)


@st.composite
def requests(draw: st.DrawFn, datatype: Datatype) -> bytes:
    tensor = draw(tensors(datatype))
    members: list[tuple[str, Any]] = [("inputs", [tensor, tensor] if draw(st.integers(0, 15)) == 0 else [tensor])]
    if draw(st.booleans()):
        members.insert(0, ("id", draw(DECOYS)))
    document = shuffled(draw, members, ["id", "inputs", "outputs", "parameters", "extra"])
    space = draw(st.sampled_from(["", "", "", " ", "\n"]))
    text = written(document, space, draw(st.sampled_from([False, False, False, True])))
    return (text + draw(st.sampled_from(["", "", "", "", "\n", "}", " "]))).encode()


ODD_VALUES: st.SearchStrategy[bytes | None] = st.sampled_from(
    [None, b"", b"[]", b"1", b'"inputs"', b"\xff", b"{}", b"[" * 99]
)
