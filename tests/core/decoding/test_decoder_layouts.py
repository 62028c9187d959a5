"""Layouts: requests of a sender are read together, and damage to one of them changes no other's answer."""

import json
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.decoding.decoder import RequestDecoder
from penstock.core.decoding.document_way import DocumentWay
from penstock.core.decoding.general_way import GeneralWay
from penstock.core.decoding.layout_learning import LayoutLearner
from penstock.core.decoding.number_parser import NumberParser
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.errors import ErrorCode
from penstock.schemas.limits import Limits
from tests.core.decoding.alike_requests import SIGNATURES, damaged, requests_of, spellings
from tests.core.decoding.decoded_answers import PARSERS, answers, every_decoder, general_answers, of_decoded

LIMITS = Limits(max_depth=10, max_elements=1000, max_bytes=4000)
OUTPUTS = (TensorSpec("y", "FP32", ()), TensorSpec("z", "INT64", ()))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damage_to_one_request_changes_its_own_answer_alone(data: st.DataObject) -> None:
    specs = data.draw(st.sampled_from(SIGNATURES))
    signature = Signature(specs, OUTPUTS, max_rows=data.draw(st.sampled_from([None, 3])))
    senders = data.draw(st.lists(spellings(specs), min_size=1, max_size=2))
    good = [data.draw(requests_of(data.draw(st.sampled_from(senders)))) for _ in range(data.draw(st.integers(1, 12)))]
    bad = [data.draw(damaged(value)) for value in data.draw(st.lists(st.sampled_from(good), max_size=4))]
    values: list[bytes | None] = list(data.draw(st.permutations(good + bad)))
    expected = general_answers(signature, LIMITS, values)
    for decoder in every_decoder(signature, LIMITS):
        assert answers(decoder.decode(good), len(good)) == general_answers(signature, LIMITS, good)
        assert answers(decoder.decode(values), len(values)) == expected
        alone = [answer for value in values for answer in answers(decoder.decode([value]), 1)]
        assert alone == expected


ONE_ROW = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1.5, 2, 3]}
ROWS = {"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1.5, 2, 3, 4, 5, 6]}
X = TensorSpec("x", "FP32", (3,))
SPELLINGS: dict[str, tuple[tuple[TensorSpec, ...], bytes]] = {
    "compact": ((X,), orjson.dumps({"id": "r-1", "inputs": [ONE_ROW]})),
    "as json.dumps has it": ((X,), json.dumps({"id": "r-1", "inputs": [ONE_ROW]}).encode()),
    "pretty": ((X,), json.dumps({"id": "r-1", "inputs": [ROWS]}, indent=2).encode()),
    "no id": ((X,), orjson.dumps({"inputs": [ONE_ROW]})),
    "id last": ((X,), orjson.dumps({"inputs": [ONE_ROW], "id": "r-1"})),
    "id not ASCII": ((X,), orjson.dumps({"id": "é", "inputs": [ONE_ROW]})),
    "members in another order": ((X,), orjson.dumps({"id": "r-1", "inputs": [dict(reversed(ONE_ROW.items()))]})),
    "parameters": ((X,), orjson.dumps({"parameters": {"a": [1]}, "inputs": [{**ONE_ROW, "parameters": {}}]})),
    "no name": ((X,), orjson.dumps({"inputs": [{**ONE_ROW, "name": ""}]})),
    "doubles": ((X,), orjson.dumps({"inputs": [{**ONE_ROW, "datatype": "FP64"}]})),
    "exponents": ((X,), b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1e2,-0.0,1E-2]}]}'),
    "rows": ((X,), orjson.dumps({"id": "r-1", "inputs": [ROWS]})),
    "nested": ((X,), orjson.dumps({"inputs": [{**ONE_ROW, "data": [[1.5, 2, 3]]}]})),
    "outputs": ((X,), orjson.dumps({"id": "r-1", "inputs": [ONE_ROW], "outputs": [{"name": "z"}, {"name": "y"}]})),
    "outputs first": ((X,), json.dumps({"outputs": [{"name": "y"}] * 2, "id": "r-1", "inputs": [ONE_ROW]}).encode()),
    "no outputs": ((X,), orjson.dumps({"inputs": [ONE_ROW], "outputs": []})),
    "nested rows": ((X,), json.dumps({"inputs": [{**ROWS, "data": [[1.5, 2, 3], [4, 5, 6]]}]}).encode()),
    "nested deeper": (
        (TensorSpec("x", "INT8", (2, 2)),),
        b'{"inputs":[{"name":"x","shape":[2,2,2],"datatype":"INT8","data":[[[1,2],[3,4]],[[5,6],[7,8]]]}]}',
    ),
    "booleans": (
        (TensorSpec("x", "BOOL", (2,)),),
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"BOOL","data":[true,false]}]}',
    ),
    "strings": (
        (TensorSpec("x", "BYTES", ()),),
        b'{"inputs":[{"name":"x","shape":[2],"datatype":"BYTES","data":["],[","\\u0041"]}]}',
    ),
    "one number a row": (
        (TensorSpec("x", "INT64", ()),),
        b'{"inputs":[{"name":"x","shape":[1],"datatype":"INT64","data":[7]}]}',
    ),
    "several inputs": (
        (TensorSpec("age", "INT32", (1,)), TensorSpec("city", "BYTES", (1,))),
        b'{"inputs":[{"name":"city","shape":[2,1],"datatype":"BYTES","data":["Bern","Zug"]},'
        b'{"name":"age","shape":[2,1],"datatype":"INT32","data":[[31],[47]]}]}',
    ),
}


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: type(parser).__name__)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_requests_that_are_spelt_alike_are_read_by_one_layout(spelling: str, parser: NumberParser) -> None:
    specs, value = SPELLINGS[spelling]
    signature = Signature(specs, OUTPUTS)
    decoder = RequestDecoder(signature, LIMITS, parser=parser, small_bytes=0)
    decoder.decode([value] * 2)
    with (
        patch.object(GeneralWay, "read", side_effect=AssertionError("the general way")),
        patch.object(DocumentWay, "read", side_effect=AssertionError("the way of documents")),
    ):
        step = decoder.decode([value] * 20)
    assert answers(step, 20) == general_answers(signature, LIMITS, [value] * 20)
    assert step.odd == {}


def test_two_senders_are_both_read_by_layouts() -> None:
    one, other = SPELLINGS["compact"][1], SPELLINGS["nested rows"][1]
    decoder = RequestDecoder(Signature((X,), OUTPUTS), LIMITS, small_bytes=0)
    decoder.decode([one, other] * 4)
    with patch.object(GeneralWay, "read", side_effect=AssertionError("the general way")):
        step = decoder.decode([one, other, other, one])
    assert step.rows == [1, 2, 2, 1]
    assert step.columns["x"].tolist() == [[1.5, 2, 3], *[[1.5, 2, 3], [4, 5, 6]] * 2, [1.5, 2, 3]]
    assert step.ids == [b'"r-1"', None, None, b'"r-1"']


def test_senders_that_name_outputs_stand_among_those_that_do_not() -> None:
    one, other, third = (SPELLINGS[name][1] for name in ("compact", "outputs", "outputs first"))
    decoder = RequestDecoder(Signature((X,), OUTPUTS), LIMITS, small_bytes=0)
    decoder.decode([one] * 100 + [other] * 100 + [third] * 4)  # so many that each has been worth it
    with patch.object(GeneralWay, "read", side_effect=AssertionError("the general way")):
        assert decoder.decode([one, other, third, other]).outputs == [None, ("z", "y"), ("y",), ("z", "y")]
        assert decoder.decode([other, third]).outputs == [("z", "y"), ("y",)]
        assert decoder.decode([one]).outputs is None


@pytest.mark.parametrize("spelling", ["compact", "id last", "rows", "pretty"])
@pytest.mark.parametrize("cut", [slice(7, None), slice(0, -1), slice(0, -2)], ids=["head", "last", "tail"])
def test_a_value_that_lacks_its_beginning_or_its_end_is_refused_among_many_that_are_whole(
    spelling: str, cut: slice
) -> None:
    specs, value = SPELLINGS[spelling]
    signature = Signature(specs, OUTPUTS)
    values: list[bytes | None] = [*[value] * 10, value[cut], *[value] * 10]
    for decoder in every_decoder(signature, LIMITS):
        decoder.decode([value] * 2)
        assert answers(decoder.decode(values), len(values)) == general_answers(signature, LIMITS, values)


def test_only_the_few_beside_a_bad_request_are_read_again() -> None:
    value = SPELLINGS["compact"][1]
    decoder = RequestDecoder(Signature((X,), OUTPUTS), Limits(), small_bytes=0)
    decoder.decode([value] * 2)
    with patch.object(DocumentWay, "read", autospec=True, side_effect=DocumentWay.read) as read:
        step = decoder.decode([*[value] * 300, value.replace(b"1.5", b"null"), *[value] * 211])
    assert list(step.odd) == [300]
    assert read.call_count <= 16


@pytest.mark.parametrize("alike", [1, 2, 5])
def test_what_repeats_never_or_a_few_times_is_seldom_learnt_from(alike: int) -> None:
    values = [orjson.dumps({f"trace-{number // alike}": 1, "inputs": [ONE_ROW]}) for number in range(1000)]
    decoder = RequestDecoder(Signature((X,), OUTPUTS), LIMITS, small_bytes=0)
    with patch.object(LayoutLearner, "learn", autospec=True, side_effect=LayoutLearner.learn) as learn:
        step = decoder.decode(values)
    assert learn.call_count <= 10
    assert step.odd == {}
    assert step.columns["x"].shape == (1000, 3)


def test_declared_rows_take_no_memory_before_their_elements_are_seen() -> None:
    value = SPELLINGS["nested rows"][1]
    signature = Signature((X,), OUTPUTS)
    decoder = RequestDecoder(signature, Limits(max_elements=2**40), small_bytes=0)
    decoder.decode([value] * 2)
    step = decoder.decode([value.replace(b'"shape": [2,', b'"shape": [300000000000,')] * 2)
    assert [of_decoded(step.odd[place])[1] for place in (0, 1)] == [ErrorCode.BAD_SHAPE] * 2
