"""The decoder: every fast way gives the answer of the general way to whatever comes."""

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.core.decoding.decoder import RequestDecoder
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.datatypes import DTYPES, Datatype
from penstock.schemas.errors import ErrorCode
from penstock.schemas.limits import Limits
from tests.core.decoding.decoded_answers import Answer, answers, every_decoder, general_answers
from tests.core.decoding.written_requests import ODD_VALUES, requests

LIMITS = Limits(max_depth=8, max_bytes=2000)
OUTPUTS = (TensorSpec("y", "FP32", ()),)
DATATYPES: list[Datatype] = ["FP16", "FP32", "FP64", "INT8", "INT64", "UINT8", "UINT64"]


def signature_of(datatype: Datatype = "FP32", shape: tuple[int, ...] = (3,), **more: Any) -> Signature:
    return Signature((TensorSpec("x", datatype, shape),), OUTPUTS, **more)


def value_of(*data: Any, **members: Any) -> bytes:
    tensor = {"name": "x", "shape": [1, len(data)], "datatype": "FP32", "data": list(data), **members}
    return orjson.dumps({"inputs": [tensor]})


def agreed(signature: Signature, values: list[bytes | None]) -> list[Answer]:
    """What every decoder says of the values, which is what the general way says."""
    expected = general_answers(signature, LIMITS, values)
    for decoder in every_decoder(signature, LIMITS):
        for _ in range(2):  # layouts are learnt the first time
            assert answers(decoder.decode(values), len(values)) == expected
    return expected


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(DATATYPES), st.data())
def test_any_request_gets_the_answer_of_the_general_way(datatype: Datatype, data: st.DataObject) -> None:
    agreed(
        signature_of(datatype),
        data.draw(st.lists(requests(datatype) | requests(datatype) | ODD_VALUES, min_size=1, max_size=6)),
    )


IN_ORDER = b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,%s,3]}]}'


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([b"2", b"2.5", b"-0.0", b"1e2", b"true", b"null", b'"2"', b"[2]", b"{}", b"1e39"]), max_size=20
    )
)
@example([b"2", b"true", b"2.5"])
@example([b"2", b"{}", b"2.5"])
def test_one_bad_request_leaves_the_others_in_the_columns(middles: list[bytes]) -> None:
    values: list[bytes | None] = [IN_ORDER % middle for middle in middles]
    agreed(signature_of(), values)
    good = [json.loads(middle) for middle in middles if middle in (b"2", b"2.5", b"-0.0", b"1e2")]
    for decoder in every_decoder(signature_of(), LIMITS):
        step = decoder.decode(values)
        assert ([] if not good else step.columns["x"][:, 1].tolist()) == good
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
    right, wrong = agreed(signature_of(), [text % b"2", text % middle])
    assert wrong[1] is ErrorCode.BAD_VALUE
    assert right[1] == {"x": ((1, 3), DTYPES["FP32"], np.array([1, 2, 3], np.float32).tobytes())}


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
    (answer,) = agreed(signature_of(), [text.replace(b",", b"," + space)])
    assert answer[1] is code


@pytest.mark.parametrize("shape", [b"[true,3]", b"[1.0,3]", b"[1,3.0]", b"[1e0,3]"])
def test_a_shape_that_only_equals_the_right_one_is_bad(shape: bytes) -> None:
    for text in (IN_ORDER, IN_ORDER.replace(b",", b", ")):
        bad = (text % b"2").replace(b"[1,3]", shape).replace(b"[1, 3]", shape)
        (_, answer) = agreed(signature_of(), [text % b"2", bad])
        assert answer[1] is ErrorCode.BAD_SHAPE


def test_a_row_is_rounded_the_same_whatever_lies_beside_it() -> None:
    # Halfway between two floats, and a little more that a double cannot hold.
    whole, fraction = value_of(2**60 + 2**36 + 1, 0, 0), value_of(0.5, 0, 0)
    agreed(signature_of(), [whole])
    agreed(signature_of(), [whole, fraction])


def test_rows_become_columns_of_the_models_dtype() -> None:
    values = [value_of(1, 2, 3, 4, shape=[1, 2, 2]), value_of(5, 6, 7, 8, shape=[1, 2, 2])]
    for decoder in every_decoder(signature_of(shape=(2, 2)), LIMITS):
        step = decoder.decode(values)
        assert step.odd == {}
        assert step.rows is None
        assert step.columns["x"].dtype == DTYPES["FP32"]
        assert step.columns["x"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_columns_stay_when_the_next_step_is_decoded() -> None:
    for decoder in every_decoder(signature_of(), LIMITS):
        first = decoder.decode([value_of(1, 2, 3)] * 3).columns["x"]
        decoder.decode([value_of(4, 5, 6)] * 3)
        assert first.tolist() == [[1, 2, 3]] * 3


@pytest.mark.parametrize("more", [{"shape": (-1,)}, {"shape": (0,)}, {"batched": False}])
def test_what_has_no_columns_is_odd(more: dict[str, Any]) -> None:
    signature = signature_of(**more)
    agreed(signature, [value_of(1, 2, 3), None])
    step = RequestDecoder(signature, LIMITS).decode([value_of(1, 2, 3), None])
    assert step.columns == {}
    assert list(step.odd) == [0, 1]
    assert step.ids == [None, None]


def test_a_value_over_the_limit_is_too_large_whatever_lies_beside_it() -> None:
    good = IN_ORDER % b"2"
    large = good + b" " * LIMITS.max_bytes
    _, answer, _ = agreed(signature_of(), [good, large, good])
    assert answer[1] is ErrorCode.TOO_LARGE


def test_no_values_make_an_empty_step() -> None:
    assert agreed(signature_of(), []) == []


def test_repr_shows_what_became_of_a_request() -> None:
    step = RequestDecoder(signature_of(), LIMITS).decode([b'{"id":"a","inputs":[]}'])
    assert repr(step.odd[0]) == "<Decoded id=b'\"a\"' RequestError(BAD_REQUEST: a request needs a list of inputs)>"
