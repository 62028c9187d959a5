"""The decoder: the columnar way and the general way give the same answer to whatever comes."""

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.core.decoder import RequestDecoder
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.datatypes import DTYPES, Datatype
from penstock.schemas.errors import ErrorCode
from penstock.schemas.limits import Limits

LIMITS = Limits(max_depth=8, max_bytes=2000)
OUTPUTS = (TensorSpec("y", "FP32", ()),)
DATATYPES: list[Datatype] = ["FP16", "FP32", "FP64", "INT8", "INT64", "UINT8", "UINT64"]


def decoder_for(datatype: Datatype = "FP32", shape: tuple[int, ...] = (3,), **signature: Any) -> RequestDecoder:
    return RequestDecoder(Signature((TensorSpec("x", datatype, shape),), OUTPUTS, **signature), LIMITS)


def value_of(*data: Any, **members: Any) -> bytes:
    tensor = {"name": "x", "shape": [1, len(data)], "datatype": "FP32", "data": list(data), **members}
    return orjson.dumps({"inputs": [tensor]})


Answer = tuple[str | None, ErrorCode | bytes, tuple[str, ...] | None, Any]


def general(decoder: RequestDecoder, value: bytes | None) -> Answer:
    """What the general way alone says: id, error code or bytes of the array, outputs, shape."""
    decoded = decoder._general(value)
    if decoded.bound is None:
        assert decoded.error is not None
        return decoded.id, decoded.error.code, None, None
    (array,) = decoded.bound.inputs.values()
    assert decoded.bound.rows == len(array)
    return decoded.id, array.tobytes(), decoded.bound.outputs, (array.shape, array.dtype)


def answers(decoder: RequestDecoder, values: list[bytes | None]) -> list[Answer]:
    """What `decode` says of each value, in the form of `general`."""
    step = decoder.decode(values)
    assert len(step.ids) == len(values)
    block = iter([] if step.block is None else step.block)
    found: list[Answer] = []
    for place in range(len(values)):
        odd = step.odd.get(place)
        if odd is None:
            row = next(block)[np.newaxis]
            found.append((step.ids[place], row.tobytes(), None, (row.shape, row.dtype)))
        elif odd.bound is None:
            assert odd.error is not None
            found.append((odd.id, odd.error.code, None, None))
        else:
            (array,) = odd.bound.inputs.values()
            found.append((odd.id, array.tobytes(), odd.bound.outputs, (array.shape, array.dtype)))
    assert next(block, None) is None
    return found


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


@settings(max_examples=400)
@given(st.sampled_from(DATATYPES), st.data())
def test_any_request_gets_the_answer_of_the_general_way(datatype: Datatype, data: st.DataObject) -> None:
    decoder = decoder_for(datatype)
    values = data.draw(st.lists(requests(datatype) | requests(datatype) | ODD_VALUES, min_size=1, max_size=5))
    assert answers(decoder, values) == [general(decoder, value) for value in values]


IN_ORDER = b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,%s,3]}]}'


@given(
    st.lists(
        st.sampled_from([b"2", b"2.5", b"-0.0", b"1e2", b"true", b"null", b'"2"', b"[2]", b"{}", b"1e39"]), max_size=8
    )
)
@example([b"2", b"true", b"2.5"])
@example([b"2", b"{}", b"2.5"])
def test_one_bad_request_leaves_the_others_in_the_block(middles: list[bytes]) -> None:
    decoder = decoder_for()
    values: list[bytes | None] = [IN_ORDER % middle for middle in middles]
    assert answers(decoder, values) == [general(decoder, value) for value in values]
    step = decoder.decode(values)
    good = [json.loads(middle) for middle in middles if middle in (b"2", b"2.5", b"-0.0", b"1e2")]
    # An exponent is read the slow way round, and still lands in the block.
    assert ([] if step.block is None else step.block[:, 1].tolist()) == good
    assert len(step.odd) == len(middles) - len(good)


@pytest.mark.parametrize("middle", [b"true", b"false", b"{}"])
@pytest.mark.parametrize(
    "text",
    [
        IN_ORDER,
        b'{"id":"a","inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,%s,3]}]}',
        b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,%s,3]}],"id":"a"}',
        b'{"inputs":[{"data":[1,%s,3],"name":"x","shape":[1,3],"datatype":"FP32"}]}',
        b'{"inputs":[{"name":"x","data":[1,%s,3],"shape":[1,3],"datatype":"FP32"}]}',
        b'{"inputs":[{"name":"x","shape":[1,3],"data":[1,%s,3],"datatype":"FP32"}]}',
        b'{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, %s, 3]}]}',
        b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,%s,3]}],"parameters":{"data":[1]}}',
        b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,%s,3],"parameters":{"data":[1]}}]}',
        # Members given twice: the last one counts, and the first one may hold a list called data.
        b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,%s,3]}],"id":{"data":[1]},"id":"a"}',
        b'{"inputs":[{"data":[1,%s,3],"shape":[1,3],"datatype":"FP32","name":{"data":[1]},"nam\\u0065":"x"}]}',
    ],
)
def test_what_is_no_number_among_numbers_is_found_wherever_the_data_stand(text: bytes, middle: bytes) -> None:
    decoder = decoder_for()
    (answer,) = answers(decoder, [text % middle])
    assert answer[1] is ErrorCode.BAD_VALUE
    (answer,) = answers(decoder, [text % b"2"])
    assert answer[1] == np.array([1, 2, 3], np.float32).tobytes()


LEGAL = b'{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}'


@pytest.mark.parametrize("space", [b"", b" "])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        # What decides stands before the data, after them, and after them without an e.
        (b'{"inputs":[{"parameters":{"binary_data_size":1},' + LEGAL[1:] + b"]}", ErrorCode.UNSUPPORTED),
        (b'{"inputs":[' + LEGAL[:-1] + b',"parameters":{"binary_data_size":1}}]}', ErrorCode.UNSUPPORTED),
        (
            b'{"inputs":[' + LEGAL[:-1] + b',"param\\u0065t\\u0065rs":{"binary_data_siz\\u0065":1}}]}',
            ErrorCode.UNSUPPORTED,
        ),
        (b'{"outputs":5,"inputs":[' + LEGAL + b"]}", ErrorCode.BAD_REQUEST),
        (b'{"inputs":[' + LEGAL + b'],"outputs":5}', ErrorCode.BAD_REQUEST),
        (b'{"outputs":[{"name":"z"}],"inputs":[' + LEGAL + b"]}", ErrorCode.BAD_INPUT),
        (b'{"id":1,"inputs":[' + LEGAL + b"]}", ErrorCode.BAD_REQUEST),
        (b'{"inputs":[' + LEGAL + b"," + LEGAL + b"]}", ErrorCode.BAD_REQUEST),
        (b'{"extra":' + b"[" * 9 + b"]" * 9 + b',"inputs":[' + LEGAL + b"]}", ErrorCode.TOO_COMPLEX),
        (b'{"id":' + b"[" * 9 + b"]" * 9 + b',"id":"a","inputs":[' + LEGAL + b"]}", ErrorCode.TOO_COMPLEX),
        (b'{"inputs":[' + LEGAL.replace(b'"x"', b'"y"') + b"]}", ErrorCode.BAD_INPUT),
        (b'{"inputs":[' + LEGAL.replace(b"FP32", b"FP16") + b"]}", ErrorCode.BAD_DTYPE),
    ],
)
def test_legal_numbers_do_not_hide_what_is_wrong_around_them(text: bytes, code: ErrorCode, space: bytes) -> None:
    decoder, value = decoder_for(), text.replace(b",", b"," + space)
    (answer,) = answers(decoder, [value])
    assert answer[1] is code
    assert answer == general(decoder, value)


@pytest.mark.parametrize("shape", [b"[true,3]", b"[1.0,3]", b"[1,3.0]", b"[1e0,3]"])
def test_a_shape_that_only_equals_the_right_one_is_bad(shape: bytes) -> None:
    for text in (IN_ORDER, IN_ORDER.replace(b",", b", ")):
        (answer,) = answers(decoder_for(), [(text % b"2").replace(b"[1,3]", shape).replace(b"[1, 3]", shape)])
        assert answer[1] is ErrorCode.BAD_SHAPE


def test_a_row_is_rounded_the_same_whatever_lies_beside_it() -> None:
    # Halfway between two floats, and a little more that a double cannot hold.
    whole, fraction = value_of(2**60 + 2**36 + 1, 0, 0), value_of(0.5, 0, 0)
    decoder = decoder_for()
    alone, beside = decoder.decode([whole]).block, decoder.decode([whole, fraction]).block
    assert alone is not None
    assert beside is not None
    assert alone[0].tobytes() == beside[0].tobytes()


def test_the_common_shape_becomes_one_block_of_the_models_dtype() -> None:
    step = decoder_for(shape=(2, 2)).decode(
        [value_of(1, 2, 3, 4, shape=[1, 2, 2]), value_of(5, 6, 7, 8, shape=[1, 2, 2])]
    )
    assert step.odd == {}
    assert step.block is not None
    assert step.block.dtype == DTYPES["FP32"]
    assert step.block.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_a_scalar_row_is_columnar_too() -> None:
    step = decoder_for("INT64", ()).decode([value_of(1, shape=[1], datatype="INT64")] * 2)
    assert step.block is not None
    assert step.block.tolist() == [1, 1]


@pytest.mark.parametrize(
    "decoder",
    [
        decoder_for(shape=(-1,)),
        decoder_for("BOOL"),
        decoder_for("BYTES"),
        decoder_for(batched=False),
        RequestDecoder(Signature((TensorSpec("x", "FP32", (3,)), TensorSpec("w", "FP32", ())), OUTPUTS), LIMITS),
    ],
)
def test_what_is_not_columnar_takes_the_general_way(decoder: RequestDecoder) -> None:
    step = decoder.decode([value_of(1, 2, 3), None])
    assert step.block is None
    assert list(step.odd) == [0, 1]
    assert step.ids == [None, None]


def test_a_value_over_the_limit_is_too_large_in_both_ways() -> None:
    value = IN_ORDER % b"2" + b" " * LIMITS.max_bytes
    (answer,) = answers(decoder_for(), [value])
    assert answer[1] is ErrorCode.TOO_LARGE


def test_raw_rows_are_bound_to_the_only_input() -> None:
    decoded = decoder_for().decode_raw(np.arange(6, dtype="<f4").tobytes())
    assert decoded.bound is not None
    assert (decoded.bound.rows, decoded.bound.inputs["x"].tolist()) == (2, [[0, 1, 2], [3, 4, 5]])


def test_a_raw_tensor_of_an_unbatched_model_is_one() -> None:
    decoder = decoder_for(batched=False)
    decoded = decoder.decode_raw(bytes(12))
    assert decoded.bound is not None
    assert (decoded.bound.rows, decoded.bound.inputs["x"].shape) == (1, (3,))
    two = decoder.decode_raw(bytes(24))
    assert two.error is not None
    assert two.error.code is ErrorCode.BAD_SHAPE


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, ErrorCode.BAD_REQUEST),
        (b"", ErrorCode.BAD_REQUEST),
        (bytes(13), ErrorCode.BAD_SHAPE),
        (bytes(LIMITS.max_bytes + 1), ErrorCode.TOO_LARGE),
    ],
)
def test_a_raw_value_that_is_no_rows_is_refused(value: bytes | None, code: ErrorCode) -> None:
    decoded = decoder_for().decode_raw(value)
    assert decoded.error is not None
    assert decoded.error.code is code


def test_raw_elements_are_counted() -> None:
    decoder = RequestDecoder(Signature((TensorSpec("x", "UINT8", (3,)),), OUTPUTS), Limits(max_elements=5))
    assert decoder.decode_raw(bytes(3)).bound is not None
    error = decoder.decode_raw(bytes(6)).error
    assert error is not None
    assert error.code is ErrorCode.TOO_LARGE


def test_a_raw_tensor_needs_a_model_with_one_input() -> None:
    specs = (TensorSpec("x", "FP32", (3,)), TensorSpec("w", "FP32", ()))
    error = RequestDecoder(Signature(specs, OUTPUTS), LIMITS).decode_raw(bytes(12)).error
    assert error is not None
    assert error.code is ErrorCode.UNSUPPORTED


def test_repr_shows_what_became_of_a_request() -> None:
    step = decoder_for().decode([b'{"id":"a","inputs":[]}'])
    assert repr(step.odd[0]) == "<Decoded id='a' RequestError(BAD_REQUEST: a request needs a list of inputs)>"
