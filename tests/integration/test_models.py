"""Several models and versions in one worker, and a row that makes a model fail."""

import numpy as np
import orjson

from tests.integration.conftest import ask
from tests.support.messages import data_of, error_of, headers_of, infer, tensor


async def test_each_request_gets_the_model_it_names(served):
    joined = orjson.dumps({"inputs": [tensor("b", [1, 1], [5]), tensor("a", [1, 2], [1, 2])]})
    doubled, scaled, summed = await ask(
        served,
        [
            (0, None, infer([1, 2, 0]), ()),
            (0, None, infer([1]), [("penstock-model", b"scaler")]),
            (0, None, joined, [("penstock-model", b"joiner")]),
        ],
    )

    assert [data_of(each) for each in (doubled, scaled, summed)] == [[2, 4, 0], [10], [8]]
    assert [headers_of(each)["penstock-model"] for each in (doubled, scaled, summed)] == [
        b"doubler@1",
        b"scaler@2",
        b"joiner@1",
    ]


async def test_a_pinned_version_runs_and_a_version_that_is_gone_is_told(served):
    def of(version: bytes):
        return (0, None, infer([7]), [("penstock-model", b"scaler"), ("penstock-version", version)])

    first, second, gone = await ask(served, [of(b"1"), of(b"2"), of(b"3")])

    assert [data_of(first), data_of(second)] == [[7], [70]]
    assert headers_of(first)["penstock-model"] == b"scaler@1"
    assert error_of(gone) == "VERSION_GONE"


async def test_names_that_are_none_and_models_that_are_not_there_are_told(served):
    def named(name: bytes):
        return (0, None, infer([7]), [("penstock-model", name)])

    bad, unknown = await ask(served, [named(b"../../etc"), named(b"nobody")])

    assert error_of(bad) == "BAD_NAME"
    assert error_of(unknown) == "UNKNOWN_MODEL"


async def test_rows_of_one_request_stay_together(served):
    many = np.arange(1500, dtype=np.float32).reshape(500, 3) * np.array([1, 1, 0], np.float32)
    few = [[1, 2, 0], [3, 4, 0]]
    large, small = await ask(served, [(0, None, infer(*many.tolist()), ()), (0, None, infer(*few), ())])

    assert data_of(large) == (many * 2).ravel().tolist()
    assert orjson.loads(large.value)["outputs"][0]["shape"] == [500, 3]
    assert data_of(small) == [2, 4, 0, 6, 8, 0]


async def test_of_a_batch_only_the_row_that_makes_the_model_raise_fails(served):
    # The first holds the model for a while, so that the others become one batch.
    slow = (0, None, infer([0, 0, 0.3]), ())
    rows = [[float(number), 666.0 if number == 13 else 1.0, 0.0] for number in range(40)]

    _, *replies = await ask(served, [slow, *((0, b"k", infer(row), ()) for row in rows)])

    failed = [number for number, reply in enumerate(replies) if "penstock-error" in headers_of(reply)]
    assert failed == [13]
    assert error_of(replies[13]) == "MODEL_FAILED"
    assert b"666" not in replies[13].value
    for number, reply in enumerate(replies):
        if number != 13:
            assert data_of(reply) == [2.0 * number, 2.0, 0.0]
    assert [reply.offset for reply in replies] == sorted(reply.offset for reply in replies)


async def test_a_requested_output_is_the_only_one_given(served):
    from tests.support.repository import cancer

    _, rows, classes = cancer()
    document = orjson.loads(infer(rows[0].tolist(), name="float_input"))
    document["inputs"][0]["name"] = ""
    both, *_ = await ask(served, [(0, None, orjson.dumps(document), [("penstock-model", b"cancer")])])
    names = [output["name"] for output in orjson.loads(both.value)["outputs"]]
    document["outputs"] = [{"name": names[0]}]
    one, *_ = await ask(served, [(0, None, orjson.dumps(document), [("penstock-model", b"cancer")])])

    assert len(names) == 2
    (output,) = orjson.loads(one.value)["outputs"]
    assert (output["name"], output["data"]) == (names[0], [classes[0]])
