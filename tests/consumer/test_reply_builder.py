"""Reply records: provenance, order, routes, and errors in place of answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.pending import PendingRequest, Route
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.core.batch import Batch
from penstock.core.callable_model import CallableModel
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.engine import Inference
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.transport.publisher import Outgoing
from penstock.transport.record_encoding import SingleRecords

MODEL = CallableModel("iris", "2", dict, Signature((TensorSpec("x", "FP32", ()),), (TensorSpec("y", "FP32", ()),)))
PROGRESS = PartitionProgress(TopicPartition("requests", 5), 0)
REPLIES: Route = ("replies", 1)


def request_of(offset: int, *, rows: int = 1, route: Route | None = REPLIES, **envelope: Any) -> PendingRequest:
    found = Envelope()
    for name, value in envelope.items():
        setattr(found, name, value)
    record = ConsumerRecord("requests", 5, offset, -7, 0, b"k%d" % offset, b"v", None, 2, 1, (("a", b"\xff"),))
    request = PendingRequest(PROGRESS, record, found, route)
    request.rows = rows
    return request


def failed(offset: int, code: ErrorCode = ErrorCode.BAD_VALUE, **more: Any) -> PendingRequest:
    request = request_of(offset, **more)
    request.fail(RequestError(code, "why"))
    return request


def inference_of(*numbers: float, model: CallableModel | None = MODEL) -> Inference:
    return Inference(model, {"y": np.array(numbers, np.float32)} if numbers else {}, None, 0.0, 0.0)


def built(
    requests: list[PendingRequest], inference: Inference, most: int = 10_000, *, chunks: int = 1
) -> dict[Route, list[Outgoing]]:
    key = BatchKey("iris")
    parts = [requests[at::chunks] for at in range(chunks)] if chunks > 1 else [requests]
    made = [
        Chunk(key, part, {}, sum(each.rows for each in part), 0.0, uniform=all(each.rows == 1 for each in part))
        for part in parts
    ]
    found: dict[Route, list[Outgoing]] = {}
    for route, parcel in ReplyBuilder(most).build(Batch(key, made, sum(chunk.rows for chunk in made)), inference):
        assert isinstance(parcel.records, SingleRecords)
        records = zip(parcel.records, parcel.tokens, strict=True)
        found.setdefault(route, []).extend((*record, token, None) for record, token in records)
    return found


def answers(records: list[Outgoing]) -> list[Any]:
    """The first output's data of each reply, or the code of its error."""
    bodies = [orjson.loads(value) for _, value, *_ in records if value is not None]
    return [body.get("code") or body["outputs"][0]["data"] for body in bodies]


def headers(record: Outgoing) -> Mapping[str, bytes]:
    found = dict(record[2])
    assert len(found) == len(record[2]), "no header twice"
    return found


def test_an_answer_keeps_the_key_and_says_where_it_comes_from() -> None:
    request = request_of(7, echo=(("kafka_correlationId", b"\xff"),))
    request.id = b'"body"'
    ((record,),) = built([request], inference_of(1.5)).values()
    key, value, _, token, timestamp = record
    assert (key, token, timestamp) == (b"k7", request, None)
    assert orjson.loads(value or b"")["id"] == "body"
    assert headers(record) == {
        "kafka_correlationId": b"\xff",
        "penstock-source": b"requests/5/7",
        "penstock-model": b"iris@2",
        "penstock-epoch": b"-1",
        "content-type": b"application/json",
    }


def test_answers_go_to_their_routes_in_the_order_of_the_requests() -> None:
    requests = [request_of(offset, route=("a" if offset % 2 else "b", 0)) for offset in range(6)]
    found = built(requests, inference_of(*range(6)))
    assert answers(found["a", 0]) == [[1], [3], [5]]
    assert answers(found["b", 0]) == [[0], [2], [4]]


def test_failed_requests_take_no_row_from_the_others() -> None:
    requests = [failed(0), request_of(1), failed(2), request_of(3, rows=2), request_of(4)]
    (records,) = built(requests, inference_of(1, 2, 3, 4)).values()
    assert answers(records) == ["BAD_VALUE", [1], "BAD_VALUE", [2, 3], [4]]


def test_rows_that_are_not_finite_fail_alone_and_are_counted_as_failed() -> None:
    requests = [request_of(offset) for offset in range(3)]
    (records,) = built(requests, inference_of(1, float("nan"), 3)).values()
    assert answers(records) == [[1], "BAD_OUTPUT", [3]]
    assert [request.error is None for request in requests] == [True, False, True]


def test_an_error_says_its_code_in_a_header_too() -> None:
    request = failed(3, echo=(("id", b"1"),))
    request.id = b'"body"'
    ((record,),) = built([request], inference_of(model=None)).values()
    assert headers(record) == {
        "id": b"1",
        "penstock-source": b"requests/5/3",
        "penstock-error": b"BAD_VALUE",
        "penstock-epoch": b"-1",
        "content-type": b"application/json",
    }
    assert orjson.loads(record[1] or b"") == {"error": "why", "code": "BAD_VALUE", "retryable": False, "id": "body"}


@pytest.mark.parametrize(("after_s", "told"), [(0.0, b"1"), (0.25, b"250"), (None, None)])
def test_an_error_says_when_to_come_back_where_that_is_known(after_s: float | None, told: bytes | None) -> None:
    request = failed(3)
    request.fail(RequestError(ErrorCode.THROTTLED, "over the rate", retry_after_s=after_s))
    ((record,),) = built([request], inference_of(model=None)).values()
    assert headers(record).get("penstock-retry-after-ms") == told
    assert orjson.loads(record[1] or b"")["retryable"] is True


def test_a_reply_that_is_too_large_becomes_a_small_error() -> None:
    requests = [request_of(0, rows=200), request_of(1)]
    (records,) = built(requests, inference_of(*range(201)), most=300).values()
    assert answers(records) == ["REPLY_TOO_LARGE", [200]]
    assert requests[0].error is not None
    assert requests[1].error is None


@pytest.mark.parametrize("output", [None, "y"])
def test_a_raw_request_gets_the_bytes_of_one_output(output: str | None) -> None:
    requests = [request_of(0), request_of(1, rows=2, raw=True, output=output)]
    (records,) = built(requests, inference_of(1, 2, 3)).values()
    assert records[1][1] == np.array([2, 3], "<f4").tobytes()
    assert headers(records[1])["content-type"] == b"application/octet-stream"
    assert headers(records[0])["content-type"] == b"application/json"


def test_an_error_of_a_raw_request_is_json() -> None:
    ((record,),) = built([request_of(0, raw=True, output="z")], inference_of(1)).values()
    assert headers(record)["content-type"] == b"application/json"
    assert headers(record)["penstock-error"] == b"BAD_INPUT"


def test_only_the_wanted_outputs_are_given() -> None:
    inference = Inference(MODEL, {"y": np.arange(2), "z": np.arange(2) + 10}, None, 0.0, 0.0)
    requests = [request_of(0), request_of(1)]
    requests[1].outputs = ("z",)
    (records,) = built(requests, inference).values()
    names = [[output["name"] for output in orjson.loads(value or b"")["outputs"]] for _, value, *_ in records]
    assert names == [["y", "z"], ["z"]]


def test_a_model_without_an_answer_has_failed() -> None:
    (records,) = built([request_of(0), failed(1)], inference_of()).values()
    assert answers(records) == ["MODEL_FAILED", "BAD_VALUE"]


def test_what_has_no_route_gets_no_reply() -> None:
    assert built([request_of(0, route=None)], inference_of(1)) == {}
