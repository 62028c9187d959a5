"""Tensors: every datatype there and back, and nothing cast silently."""

import base64
import math
from typing import Any, get_args

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penstock.schemas.datatypes import DTYPES, Datatype, datatype_of
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits
from penstock.schemas.tensors import check_shape, tensor_from_json, tensor_from_raw, tensor_to_json

DATATYPES: tuple[Datatype, ...] = get_args(Datatype)
INTEGERS = [datatype for datatype in DATATYPES if "INT" in datatype]
FLOATS = [datatype for datatype in DATATYPES if datatype.startswith("FP")]
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=4)


@st.composite
def tensors(draw: st.DrawFn) -> tuple[Datatype, np.ndarray[Any, Any]]:
    """A datatype, and an array of it without NaN and infinity."""
    datatype = draw(st.sampled_from(DATATYPES))
    shape = draw(SHAPES)
    if datatype == "BYTES":
        # Half a surrogate pair is no Unicode and has no UTF-8.
        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
        flat = draw(st.lists(text, min_size=math.prod(shape), max_size=math.prod(shape)))
        array = np.empty(len(flat), dtype=object)
        array[:] = flat
        return datatype, array.reshape(shape)
    dtype = DTYPES[datatype]
    elements = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    return datatype, draw(hnp.arrays(dtype, shape, elements=elements))


def refused(datatype: Datatype, data: Any, shape: tuple[int, ...] | None = None) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        tensor_from_json(datatype, shape or (len(data),), data)
    return caught.value.code


def shape_refused(shape: object, **limits: int) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        check_shape(shape, Limits(**limits))
    return caught.value.code


def test_every_dtype_has_its_datatype() -> None:
    assert [datatype_of(DTYPES[datatype]) for datatype in DATATYPES] == list(DATATYPES)
    assert datatype_of(">f4") == "FP32"
    assert datatype_of("U5") == "BYTES"
    assert datatype_of("S5") == "BYTES"


@pytest.mark.parametrize("dtype", ["c16", "M8[s]", "m8[s]", [("a", "i4")], np.longdouble])
def test_a_dtype_without_a_datatype_is_a_type_error(dtype: Any) -> None:
    with pytest.raises(TypeError, match="no Open Inference Protocol datatype"):
        datatype_of(dtype)


@given(tensors())
def test_json_flat_and_nested_and_raw_give_the_same_array_back(tensor: tuple[Datatype, Any]) -> None:
    datatype, array = tensor
    flat = orjson.loads(tensor_to_json(array))
    nested = orjson.loads(orjson.dumps(array.tolist()))
    copies = [tensor_from_json(datatype, array.shape, data) for data in (flat, nested)]
    if datatype != "BYTES":
        copies.append(tensor_from_raw(datatype, array.shape[1:], array.tobytes()))
    for copy in copies:
        assert copy.dtype == DTYPES[datatype]
        assert copy.shape == array.shape
        # Bit for bit, but for BYTES: -0.0 is not 0.0.
        assert copy.tolist() == array.tolist()
        assert datatype == "BYTES" or copy.tobytes() == array.tobytes()


@pytest.mark.parametrize("datatype", INTEGERS)
def test_the_extremes_of_an_integer_fit_and_one_more_does_not(datatype: Datatype) -> None:
    info = np.iinfo(DTYPES[datatype].name)
    least, most = int(info.min), int(info.max)
    assert tensor_from_json(datatype, (2,), [least, most]).tolist() == [least, most]
    assert refused(datatype, [most + 1]) is ErrorCode.BAD_VALUE
    assert refused(datatype, [least - 1]) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("datatype", FLOATS)
def test_the_largest_float_fits_and_what_would_become_infinite_does_not(datatype: Datatype) -> None:
    most = float(np.finfo(DTYPES[datatype].name).max)
    assert tensor_from_json(datatype, (2,), [most, -most]).tolist() == [most, -most]
    beyond = 10**400 if datatype == "FP64" else most * 2
    assert refused(datatype, [0.5, beyond]) is ErrorCode.BAD_VALUE
    assert refused(datatype, [-beyond]) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("datatype", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("odd", [True, False, "1", None, [1], {}, {"a": 1}])
def test_nothing_else_among_numbers_is_taken_for_a_number(datatype: Datatype, odd: Any) -> None:
    assert refused(datatype, [1, odd]) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("datatype", INTEGERS)
@pytest.mark.parametrize("odd", [1.0, 0.5, 1e300])
def test_a_float_is_no_integer_even_when_it_is_whole(datatype: Datatype, odd: float) -> None:
    assert refused(datatype, [1, odd]) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("odd", [0, 1, 1.0, "true", None])
def test_a_number_is_no_boolean(odd: Any) -> None:
    assert refused("BOOL", [True, odd]) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("odd", [0, 1.5, True, None, ["a"]])
def test_bytes_are_strings_only(odd: Any) -> None:
    assert refused("BYTES", ["a", odd]) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("data", [None, 1, "12", {"0": 1}, True])
def test_data_is_a_list(data: Any) -> None:
    assert refused("FP32", data, (1,)) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize(
    "data",
    [
        [1, 2, 3],
        [1, 2, 3, 4, 5, 6, 7],
        [],
        [[]],
        [[1, 2, 3]],
        [[1, 2, 3], [4, 5]],
        [[1, 2, 3], [4, 5, 6, 7]],
        [[1, 2, 3], 4],
        [[1, 2], [3, 4], [5, 6]],
        [[[1], [2], [3]], [[4], [5], [6]]],
        [[1, 2, [3]], [4, 5, 6]],
        [[1, 2, 3], "456"],
        [[[1, 2, 3], [4, 5, 6]]],
    ],
)
def test_ragged_or_foreign_nesting_does_not_fill_the_shape(data: Any) -> None:
    assert refused("INT32", data, (2, 3)) is ErrorCode.BAD_SHAPE


def test_nesting_without_a_shape_is_refused() -> None:
    assert tensor_from_json("INT32", (), [7]).shape == ()
    with pytest.raises(RequestError) as caught:
        tensor_from_json("INT32", (), [[7]])
    assert caught.value.code is ErrorCode.BAD_SHAPE


@given(SHAPES, st.sampled_from(["flat", "nested"]))
def test_elements_lie_in_row_major_order(shape: tuple[int, ...], form: str) -> None:
    wanted = np.arange(math.prod(shape)).reshape(shape)
    data = wanted.tolist() if form == "nested" else wanted.reshape(-1).tolist()
    assert tensor_from_json("INT64", shape, data).tolist() == wanted.tolist()


@pytest.mark.parametrize("shape", [None, 3, "3", {"0": 1}, (1, 2), [0], [3, 0], [-1], [1, -1], [True], [1.0], ["1"]])
def test_a_shape_is_a_list_of_whole_numbers_of_at_least_one(shape: object) -> None:
    assert shape_refused(shape) is ErrorCode.BAD_SHAPE


def test_a_product_beyond_64_bits_is_refused_before_anything_is_allocated() -> None:
    assert shape_refused([2**62, 2]) is ErrorCode.BAD_SHAPE
    assert shape_refused([2**32, 2**32, 2**32]) is ErrorCode.BAD_SHAPE
    assert shape_refused([2**63]) is ErrorCode.BAD_SHAPE
    # 2**64 elements count as none where a product overflows silently.
    assert shape_refused([2**32, 2**32]) is ErrorCode.BAD_SHAPE


def test_more_elements_than_allowed_are_too_large() -> None:
    assert shape_refused([10**9]) is ErrorCode.TOO_LARGE
    assert shape_refused([2, 6], max_elements=11) is ErrorCode.TOO_LARGE
    assert check_shape([2, 6], Limits(max_elements=12)) == (2, 6)


def test_a_rank_that_numpy_has_not_is_a_bad_shape() -> None:
    assert check_shape([1] * 32, Limits()) == (1,) * 32
    assert shape_refused([1] * 33) is ErrorCode.BAD_SHAPE


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=6))
def test_base64_strings_become_bytes(items: list[bytes]) -> None:
    data = [base64.b64encode(item).decode() for item in items]
    made = tensor_from_json("BYTES", (len(items),), data, base64_strings=True)
    assert made.dtype == object
    assert made.tolist() == items


@pytest.mark.parametrize("broken", ["a", "YQ=", "YQ", "Y!Q=", "ü", "YQ==\n"])
def test_broken_base64_is_a_bad_encoding(broken: str) -> None:
    with pytest.raises(RequestError) as caught:
        tensor_from_json("BYTES", (2,), ["YQ==", broken], base64_strings=True)
    assert caught.value.code is ErrorCode.BAD_ENCODING


@pytest.mark.parametrize("size", [0, 1, 11, 13])
def test_raw_bytes_are_a_whole_number_of_rows(size: int) -> None:
    with pytest.raises(RequestError) as caught:
        tensor_from_raw("FP32", (3,), bytes(size))
    assert caught.value.code is ErrorCode.BAD_SHAPE


def test_raw_bytes_are_viewed_and_not_copied() -> None:
    value = np.arange(6, dtype="<f4").tobytes()
    made = tensor_from_raw("FP32", (3,), value)
    assert made.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.shares_memory(made, np.frombuffer(value, np.uint8))
    assert not made.flags.writeable


def test_a_raw_boolean_is_zero_or_one() -> None:
    assert tensor_from_raw("BOOL", (), b"\0\1").tolist() == [False, True]
    with pytest.raises(RequestError) as caught:
        tensor_from_raw("BOOL", (), b"\0\2")
    assert caught.value.code is ErrorCode.BAD_VALUE


@pytest.mark.parametrize(("datatype", "row_shape"), [("BYTES", ()), ("FP32", (-1,)), ("FP32", (2, 0))])
def test_strings_and_free_or_empty_dimensions_have_no_raw_form(datatype: Datatype, row_shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError) as caught:
        tensor_from_raw(datatype, row_shape, b"abcdefgh")
    assert caught.value.code is ErrorCode.UNSUPPORTED


def test_nan_and_infinity_pass_in_raw_and_not_in_json() -> None:
    odd = np.array([math.nan, math.inf, 5e-324], dtype="<f8")
    assert tensor_from_raw("FP64", (), odd.tobytes()).tobytes() == odd.tobytes()
    for value in (math.nan, -math.inf):
        with pytest.raises(RequestError) as caught:
            tensor_to_json(np.array([1.0, value]))
        assert caught.value.code is ErrorCode.BAD_OUTPUT


def test_big_endian_and_strided_arrays_are_written_row_major() -> None:
    array = np.arange(6, dtype=">i4").reshape(2, 3)
    assert tensor_to_json(array) == b"[0,1,2,3,4,5]"
    assert tensor_to_json(array.T) == b"[0,3,1,4,2,5]"
    assert tensor_to_json(array.astype("f4")[:, ::2]) == b"[0.0,2.0,3.0,5.0]"


def test_strings_of_every_kind_are_written_as_strings() -> None:
    assert tensor_to_json(np.array(["a", 'q"ü'])) == '["a","q\\"ü"]'.encode()
    assert tensor_to_json(np.array([b"a", "ü".encode()])) == '["a","ü"]'.encode()
    assert tensor_to_json(np.array([b"a", "b"], dtype=object)) == b'["a","b"]'


@pytest.mark.parametrize("odd", [b"\xff", "\ud800", None, 1, 1.5, ["a"]])
def test_what_is_no_string_is_not_written_as_one(odd: Any) -> None:
    array = np.empty(2, dtype=object)
    array[:] = ["a", odd]
    with pytest.raises(RequestError) as caught:
        tensor_to_json(array)
    assert caught.value.code is ErrorCode.BAD_OUTPUT
