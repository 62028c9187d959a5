"""How rows become requests: how many together, and in which datatype."""

import numpy as np
import pytest

from penstock.cli.predict.numbers import Datatypes, datatype_named
from penstock.cli.predict.rows import Block, grouped
from penstock.schemas.datatype_mismatch import mismatch
from penstock.schemas.datatypes import Datatype
from penstock.schemas.errors import ServiceError


def blocks(*rows: int) -> list[Block]:
    """Blocks of so many rows, numbered through."""
    starts = np.cumsum([0, *rows])
    return [
        Block({"": [[place] for place in range(start, start + count)]}, "row", range(start, start + count))
        for start, count in zip(starts.tolist(), rows, strict=False)
    ]


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_rows_keep_their_order_and_places_however_they_are_grouped(rows: int) -> None:
    groups = list(grouped(blocks(1, 1, 5, 2, 9), rows))
    assert [row for group in groups for (row,) in group.inputs[""]] == list(range(18))
    assert [place for group in groups for place in group.places] == list(range(18))
    assert [len(group) for group in groups] == [rows] * (18 // rows) + ([18 % rows] if 18 % rows else [])


def test_rows_of_other_inputs_and_whole_requests_are_not_joined() -> None:
    other = Block({"b": [[1]]}, "row", [1])
    whole = Block({}, "row", [1, 2], body=b"{}")
    groups = list(grouped([*blocks(1, 1), other, whole, *blocks(1)], 10))
    assert [(len(group), list(group.inputs), group.body) for group in groups] == [
        (2, [""], None), (1, ["b"], None), (2, [], b"{}"), (1, [""], None)
    ]  # fmt: skip


def wanted(name: str, datatype: Datatype, declared: Datatype = "FP32") -> ServiceError:
    return ServiceError("BAD_DTYPE", mismatch(name, datatype, declared))


def test_datatype_that_the_service_asks_for_is_learned_once() -> None:
    (block,) = blocks(1)
    datatypes = Datatypes()
    assert datatypes.of("") == "FP32"
    assert datatypes.learn(wanted("X", "INT64"), block)
    assert datatypes.of("") == "INT64"
    assert not datatypes.learn(wanted("X", "INT64"), block)  # it did not help


def test_each_input_learns_its_own_datatype() -> None:
    datatypes = Datatypes()
    block = Block({"a": [[1]], "b": [[2]]}, "row", [1])
    assert datatypes.learn(wanted("b", "FP64"), block)
    assert (datatypes.of("a"), datatypes.of("b")) == ("FP32", "FP64")


@pytest.mark.parametrize(
    ("datatypes", "error"),
    [
        (Datatypes("FP64"), wanted("X", "INT64")),
        (Datatypes(), wanted("X", "BYTES")),
        (Datatypes(), ServiceError("BAD_SHAPE", "input 'X' has shape [1, 2]; the model takes [rows, 3]")),
    ],
)
def test_what_cannot_help_is_not_tried(datatypes: Datatypes, error: ServiceError) -> None:
    assert not datatypes.learn(error, blocks(1)[0])


def test_datatype_has_its_name_from_numpy_or_the_protocol() -> None:
    assert [datatype_named(name) for name in ("float32", "FP64", "int64", "bool")] == ["FP32", "FP64", "INT64", "BOOL"]
    for name in ("string", "BYTES", "decimal", "object"):
        with pytest.raises(ValueError, match="is no datatype of numbers"):
            datatype_named(name)
