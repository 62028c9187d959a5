"""Replies: what the worker writes is what the protocol says, and what the client reads."""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penstock.schemas.datatypes import DTYPES, Datatype, datatype_of
from penstock.schemas.errors import ErrorCode, RequestError, ServiceError
from penstock.schemas.replies import BatchEncoder, encode_error, read_reply

Array = np.ndarray[Any, Any]
UNICODE = st.characters(exclude_categories=["Cs"])
IDS = st.none() | st.text(UNICODE, max_size=8) | st.sampled_from(['"', "\\", "a,b],[", "\u202e😀", "]}"])
ORDERS: st.SearchStrategy[Literal["<", ">"]] = st.sampled_from(["<", ">"])
NUMBERS: list[Datatype] = [datatype for datatype in get_args(Datatype) if datatype != "BYTES"]
STRINGS = ['"', "],[", "a,b", "\\", "", "ü😀", "\n\0"]


def strings(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    size = math.prod(shape)
    array = np.empty(size, dtype=object)
    array[:] = draw(st.lists(st.sampled_from(STRINGS) | st.text(UNICODE, max_size=5), min_size=size, max_size=size))
    return array.reshape(shape)


@st.composite
def batches(draw: st.DrawFn, least_rows: int = 1) -> dict[str, Array]:
    """Outputs of one batch, of every datatype and rank; a free dimension may be zero."""
    rows = draw(st.integers(least_rows, 5))
    outputs: dict[str, Array] = {}
    for name in draw(st.lists(st.text(UNICODE, min_size=1, max_size=4), min_size=1, max_size=3, unique=True)):
        shape = (rows, *draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=3, min_side=0)))
        datatype = draw(st.sampled_from(get_args(Datatype)))
        if datatype == "BYTES":
            outputs[name] = strings(draw, shape)
        else:
            dtype = DTYPES[datatype]
            finite = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
            order = draw(ORDERS)
            outputs[name] = draw(hnp.arrays(dtype.newbyteorder(order), shape, elements=finite))
    return outputs


def naive(outputs: dict[str, Array], part: Any, request_id: str | None) -> dict[str, Any]:
    """The reference: the protocol's JSON, member by member."""
    body: dict[str, Any] = {} if request_id is None else {"id": request_id}
    body |= {"model_name": "m", "model_version": "1"}
    body["outputs"] = [
        {
            "name": name,
            "datatype": datatype_of(array.dtype),
            "shape": list(array[part].shape),
            "data": array[part].reshape(-1).tolist(),
        }
        for name, array in outputs.items()
    ]
    return body


def same(value: bytes, body: dict[str, Any], outputs: dict[str, Array]) -> bool:
    """Whether the JSON says the body; floats are compared in their own width, as a reader of that datatype does."""
    read = orjson.loads(value)
    for tensor in read["outputs"]:
        dtype = outputs[tensor["name"]].dtype
        if dtype.kind == "f":
            tensor["data"] = np.array(tensor["data"], dtype=dtype).tolist()
    return bool(read == body)


@given(batches(), st.data())
def test_every_reply_of_a_batch_equals_the_naive_encoding(outputs: dict[str, Array], data: st.DataObject) -> None:
    rows = len(next(iter(outputs.values())))
    encoder = BatchEncoder("m", "1", outputs)
    start = data.draw(st.integers(0, rows - 1))
    count = data.draw(st.integers(1, rows - start))
    request_id = data.draw(IDS)
    value = encoder.encode(start, count, None if request_id is None else orjson.dumps(request_id))
    assert same(value, naive(outputs, slice(start, start + count), request_id), outputs)
    ids = data.draw(st.lists(IDS, min_size=rows, max_size=rows))
    texts = [None if each is None else orjson.dumps(each) for each in ids]
    for row, each in enumerate(encoder.encode_rows(start, rows, texts[start:] if any(texts) else None), start):
        assert same(each, naive(outputs, slice(row, row + 1), ids[row]), outputs)


@given(batches(), st.data())
def test_rows_that_want_some_outputs_are_encoded_as_each_is_alone(
    outputs: dict[str, Array], data: st.DataObject
) -> None:
    rows = len(next(iter(outputs.values())))
    asked = st.none() | st.lists(st.sampled_from(list(outputs)), min_size=1, unique=True).map(tuple)
    wanted = data.draw(st.lists(asked, min_size=rows, max_size=rows))
    ids = data.draw(st.none() | st.lists(st.sampled_from([None, b'"a%d"']), min_size=rows, max_size=rows))
    encoder = BatchEncoder("m", "1", outputs)
    assert encoder.can_encode(0, rows, wanted)
    alone = [encoder.encode(row, 1, None if ids is None else ids[row], wanted[row]) for row in range(rows)]
    assert encoder.encode_rows(0, rows, ids, wanted) == alone
    assert encoder.encode_rows(rows - 1, rows, ids and ids[-1:], wanted[-1:]) == alone[-1:]


@given(batches())
def test_the_client_reads_what_the_worker_wrote(outputs: dict[str, Array]) -> None:
    rows = len(next(iter(outputs.values())))
    reply = read_reply(BatchEncoder("m", "1", outputs).encode(0, rows, b'"7"'))
    assert (reply.model, reply.version, reply.id) == ("m", "1", "7")
    assert list(reply.outputs) == list(outputs)
    for name, array in outputs.items():
        assert reply.outputs[name].dtype == DTYPES[datatype_of(array.dtype)]
        assert reply.outputs[name].tolist() == array.tolist()


@given(batches())
def test_an_unbatched_model_answers_with_its_whole_shape(outputs: dict[str, Array]) -> None:
    outputs = {name: array[0, ...] for name, array in outputs.items()}  # of any rank, 0 included
    value = BatchEncoder("m", "1", outputs, batched=False).encode(0, 1, None)
    assert same(value, naive(outputs, ..., None), outputs)


def code_of(encoder: BatchEncoder, row: int) -> ErrorCode | None:
    try:
        encoder.encode(row, 1, None)
    except RequestError as error:
        return error.code
    return None


def test_rows_that_are_not_finite_fail_alone() -> None:
    outputs: dict[str, Array] = {
        "y": np.array([[1, 2], [np.nan, 3], [4, -np.inf], [5, 6]], np.float32),
        "z": np.arange(4),
    }
    encoder = BatchEncoder("m", "1", outputs)
    assert not encoder.can_encode(0, 4)
    assert [code_of(encoder, row) for row in range(4)] == [None, ErrorCode.BAD_OUTPUT, ErrorCode.BAD_OUTPUT, None]
    with pytest.raises(RequestError):
        encoder.encode(0, 2, None)
    # Whoever wants another output gets it.
    assert encoder.can_encode(0, 4, [("z",)] * 4)
    assert not encoder.can_encode(1, 2, [("z", "y")])
    assert not encoder.can_encode(0, 3, [("z",), None, ("z",)])
    assert orjson.loads(encoder.encode(1, 2, None, ("z",)))["outputs"][0]["data"] == [1, 2]


@pytest.mark.parametrize("odd", [b"\xff", "\ud800", None, 3])
def test_a_row_whose_string_is_not_unicode_fails_alone(odd: Any) -> None:
    array = np.empty((3, 2), dtype=object)
    array[:] = [["a", b"b"], ["c", odd], ["d", "e"]]
    encoder = BatchEncoder("m", "1", {"y": array})
    assert not encoder.can_encode(0, 4)
    assert [code_of(encoder, row) for row in range(3)] == [None, ErrorCode.BAD_OUTPUT, None]


def test_wanted_outputs_come_in_the_order_asked_for() -> None:
    encoder = BatchEncoder("m", "1", {"a": np.arange(2), "b": np.arange(2), "c": np.arange(2)})
    body = orjson.loads(encoder.encode(1, 1, None, ("c", "a")))
    assert [output["name"] for output in body["outputs"]] == ["c", "a"]
    asks: list[Callable[[], object]] = [
        lambda: encoder.encode(0, 1, None, ("a", "nope")),
        lambda: encoder.can_encode(0, 2, [("a", "nope")] * 2),
        lambda: encoder.encode_rows(0, 2, None, [("a", "nope"), None]),
    ]
    for ask in asks:
        with pytest.raises(RequestError) as caught:
            ask()
        assert caught.value.code is ErrorCode.BAD_INPUT


@given(st.sampled_from(NUMBERS), st.data())
def test_a_raw_reply_is_the_little_endian_bytes_of_its_rows(datatype: Datatype, data: st.DataObject) -> None:
    array = data.draw(hnp.arrays(DTYPES[datatype].newbyteorder(data.draw(ORDERS)), (4, 3)))
    encoder = BatchEncoder("m", "1", {"first": array, "b": np.arange(4)})
    assert encoder.encode_raw(1, 2, None) == array[1:3].astype(DTYPES[datatype]).tobytes()
    assert encoder.encode_raw(3, 1, "b") == np.array([3], "<i8").tobytes()


def test_a_raw_reply_needs_a_known_output_of_numbers() -> None:
    encoder = BatchEncoder("m", "1", {"s": np.array(["a"], dtype=object)})
    for output, code in ((None, ErrorCode.UNSUPPORTED), ("nope", ErrorCode.BAD_INPUT)):
        with pytest.raises(RequestError) as caught:
            encoder.encode_raw(0, 1, output)
        assert caught.value.code is code


@pytest.mark.parametrize(("code", "retryable"), [(ErrorCode.EXPIRED, True), (ErrorCode.BAD_VALUE, False)])
def test_an_error_reply_raises_in_the_client(code: ErrorCode, retryable: bool) -> None:
    value = encode_error(RequestError(code, 'no "good"'), '"ü"'.encode())
    assert orjson.loads(value)["id"] == "ü"
    assert "id" not in orjson.loads(encode_error(RequestError(code, ""), None))
    with pytest.raises(ServiceError) as caught:
        read_reply(value)
    assert (caught.value.code, caught.value.message, caught.value.retryable) == (code.value, 'no "good"', retryable)


Y = {"name": "y", "datatype": "FP32", "shape": [1], "data": [1.0]}


@pytest.mark.parametrize(
    "body",
    [
        None,
        5,
        "an error",
        ["error"],
        {},
        {"model_name": "m"},
        {"model_name": "m", "outputs": 1},
        {"model_name": "m", "outputs": ["y"]},
        {"outputs": [Y]},
        {"model_name": "m", "outputs": [{**Y, "datatype": "FP31"}]},
        {"model_name": "m", "outputs": [{**Y, "datatype": ["FP32"]}]},
        {"model_name": "m", "outputs": [{**Y, "shape": [2]}]},
        {"model_name": "m", "outputs": [{**Y, "shape": [-1, -1]}]},
        {"model_name": "m", "outputs": [{**Y, "shape": [1.0]}]},
        {"model_name": "m", "outputs": [{**Y, "shape": ["a"]}]},
        {"model_name": "m", "outputs": [{**Y, "shape": 1}]},
        {"model_name": "m", "outputs": [{**Y, "data": [True]}]},
        {"model_name": "m", "outputs": [{**Y, "name": ["y"]}]},
    ],
)
def test_what_is_no_reply_is_a_value_error(body: Any) -> None:
    with pytest.raises(ValueError, match="not a reply"):
        read_reply(orjson.dumps(body))


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", None])
def test_what_is_no_json_is_no_reply(value: Any) -> None:
    with pytest.raises(ValueError, match="not a reply"):
        read_reply(value)
