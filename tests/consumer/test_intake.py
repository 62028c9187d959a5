"""Intake: hand-made records become chunks whose rows agree with their requests."""

import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import orjson
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.assembly import RequestChunk
from penstock.consumer.block import RequestBlock
from penstock.consumer.intake import Intake
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.routes import ReplyRouter
from penstock.core.callable_model import CallableModel
from penstock.core.model import Signature, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits
from penstock.schemas.record import Record
from penstock.transport.topics import TopicDirectory

Y = (TensorSpec("y", "FP32", ()),)
PROGRESS = PartitionProgress(TopicPartition("requests", 5), 0)
DAY_S = 86_400


class KnownTopics(TopicDirectory):
    """A directory that never asks Kafka."""

    def partitions(self, topic: str) -> int:
        return {"replies": 4, "mine": 1}.get(topic, 0)


def model(name: str, version: str = "1", shape: tuple[int, ...] = (2,), **signature: Any) -> CallableModel:
    return CallableModel(name, version, dict, Signature((TensorSpec("x", "FP32", shape),), Y, **signature))


def intake_of(*models: CallableModel, default: str | None = "m", reply_topic: str = "replies") -> Intake:
    table = ModelTable(default)
    for each in models or (model("m"), model("m", "2"), model("free", shape=(-1,)), model("whole", batched=False)):
        table.add(each)
    router = ReplyRouter(KnownTopics({}), reply_topic, lambda topic: fnmatchcase(topic, "mi*"))
    return Intake(table, router, Limits())


def record(
    offset: int,
    value: bytes | None,
    *headers: tuple[str, bytes],
    timestamp: int | None = None,
    key: bytes | None = None,
) -> Record:
    sent = int(time.time() * 1000) if timestamp is None else timestamp
    made: Record = ConsumerRecord("requests", 5, offset, sent, 0, key, value, None, -1, -1, headers)
    return made


def json_of(*rows: Sequence[float], **members: Any) -> bytes:
    data = [number for row in rows for number in row]
    tensor = {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}
    return orjson.dumps({**members, "inputs": [tensor]})


def to(name: str) -> tuple[str, bytes]:
    return "penstock-model", name.encode()


def taken(intake: Intake, *records: Record) -> tuple[list[RequestChunk], list[PendingRequest]]:
    chunks, unanswerable = intake.take(intake.read(PROGRESS, records))
    for chunk in chunks:
        check(chunk)
    offsets = [request.record.offset for chunk in chunks for request in chunk.requests]
    offsets += [request.record.offset for request in unanswerable]
    assert sorted(offsets) == [each.offset for each in records], "each record once"
    return chunks, unanswerable


def check(chunk: RequestChunk) -> None:
    """Assert that a chunk's rows are those of its requests, which hold their offset in every number."""
    assert chunk.rows == sum(request.rows for request in chunk.requests)
    assert chunk.uniform == all(request.rows == 1 for request in chunk.requests)
    wanted = [request.record.offset for request in chunk.requests for _ in range(request.rows)]
    for request in chunk.requests:
        assert (request.rows == 0) == (request.error is not None)
        assert request.route is not None
    if not wanted:
        return
    array = chunk.inputs["x"]
    assert array.dtype == np.float32
    assert np.unique(array).tolist() == sorted(set(wanted))
    if chunk.key.batched:
        assert array[:, 0].tolist() == wanted
        assert chunk.key.family == (array.shape[1:],)


def offsets_of(chunks: list[RequestChunk], name: str) -> list[int]:
    return [request.record.offset for chunk in chunks if chunk.key.model == name for request in chunk.requests]


def error_of(request: PendingRequest) -> ErrorCode | None:
    return None if request.error is None else request.error.code


def test_requests_of_the_common_shape_become_one_chunk() -> None:
    chunks, unanswerable = taken(intake_of(), *(record(at, json_of([at, at], id=f"i{at}")) for at in range(6)))
    assert unanswerable == []
    (chunk,) = chunks
    assert chunk.uniform
    assert chunk.key.model == "m"
    assert [request.id for request in chunk.requests] == [b'"i%d"' % at for at in range(6)]
    assert isinstance(chunk.requests, RequestBlock)
    assert {request.route for request in chunk.requests} == {("replies", 1)}  # source partition 5 of 4


def test_a_failed_request_keeps_its_place_in_the_chunk() -> None:
    values = [json_of([0, 0]), b"{", json_of([2, 2], id="two"), None, json_of([4, 4])]
    (chunk,), _ = taken(intake_of(), *(record(at, value) for at, value in enumerate(values)))
    assert [error_of(request) for request in chunk.requests] == [
        None,
        ErrorCode.BAD_ENCODING,
        None,
        ErrorCode.BAD_REQUEST,
        None,
    ]
    assert chunk.rows == 3
    assert not chunk.uniform
    assert chunk.requests[2].id == b'"two"'


def test_a_refused_request_is_not_read_and_one_without_an_address_cannot_be_told() -> None:
    intake, why = intake_of(), RequestError(ErrorCode.THROTTLED, "over the rate")
    spans = intake.read(PROGRESS, [record(0, b"{"), record(1, b"", ("penstock-reply-topic", b"nowhere"))])
    (chunk,), unanswerable = intake.refuse([(span, why) for span in spans])
    check(chunk)
    assert [error_of(request) for request in chunk.requests] == [ErrorCode.THROTTLED]
    assert [error_of(request) for request in unanswerable] == [ErrorCode.REPLY_FORBIDDEN]
    assert intake.refuse([]) == ([], [])


def test_a_request_of_several_rows_lies_between_its_neighbours() -> None:
    values = [json_of([0, 0]), b"", json_of(*[[2, 2]] * 3), json_of([3, 3])]
    chunks, _ = taken(intake_of(), *(record(at, value) for at, value in enumerate(values)))
    assert offsets_of(chunks, "m") == [0, 1, 2, 3]
    assert sum(chunk.rows for chunk in chunks) == 5
    assert len({chunk.key for chunk in chunks}) == 1


def test_the_wanted_outputs_and_the_id_of_an_odd_request_are_kept() -> None:
    (chunk,), _ = taken(intake_of(), record(0, json_of([0, 0], id="i", outputs=[{"name": "y"}])))
    assert (chunk.requests[0].id, chunk.requests[0].outputs) == (b'"i"', ("y",))
    (chunk,), _ = taken(intake_of(), record(0, json_of([0, 0], id="i", outputs=[{"name": "z"}])))
    assert (chunk.requests[0].id, error_of(chunk.requests[0])) == (b'"i"', ErrorCode.BAD_INPUT)


@pytest.mark.parametrize("bad", [[], [b"{"]], ids=["all good", "one bad"])
def test_requests_that_name_outputs_stay_in_order_among_those_that_do_not(bad: list[bytes]) -> None:
    asked: list[Any] = [[], [{"name": "y"}], None, [{"name": "y"}, {"name": "y"}]]
    values = [*(json_of([at, at], outputs=each) for at, each in enumerate(asked)), *bad]
    (chunk,), _ = taken(intake_of(), *(record(at, value) for at, value in enumerate(values)))
    assert isinstance(chunk.requests, RequestBlock) == (not bad)
    assert [request.outputs for request in chunk.requests][:4] == [None, ("y",), None, ("y",)]


def test_free_dimensions_tell_families_apart() -> None:
    records = [record(at, json_of([at] * size), to("free")) for at, size in enumerate([3, 4, 3])]
    chunks, _ = taken(intake_of(), *records)
    assert [chunk.key.family for chunk in chunks] == [((3,),), ((4,),), ((3,),)]


def test_an_unbatched_model_gets_one_chunk_a_request() -> None:
    value = b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[%d,%d]}]}'
    chunks, _ = taken(intake_of(), *(record(at, value % (at, at), to("whole")) for at in range(3)))
    assert [(chunk.rows, chunk.inputs["x"].shape, chunk.key.batched) for chunk in chunks] == [(1, (2,), False)] * 3


def test_raw_tensors_are_read_where_the_content_type_says_so() -> None:
    raw = ("content-type", b"application/octet-stream")
    chunks, _ = taken(intake_of(), record(7, np.full(4, 7, "<f4").tobytes(), raw), record(8, b"abc", raw))
    assert sum(chunk.rows for chunk in chunks) == 2
    assert [error_of(each) for chunk in chunks for each in chunk.requests] == [None, ErrorCode.BAD_SHAPE]


def test_requests_of_other_models_do_not_cut_a_chunk() -> None:
    records = [record(at, json_of([at, at]), to("m" if at % 2 else "free")) for at in range(6)]
    chunks, _ = taken(intake_of(), *records)
    assert offsets_of(chunks, "m") == [1, 3, 5]
    assert [len(chunk.requests) for chunk in chunks if chunk.key.model == "m"] == [3]


TARGETS: list[list[tuple[str, bytes]]] = [
    [],
    [to("m")],
    [to("m"), ("penstock-version", b"1")],
    [("content-type", b"application/octet-stream")],
    [to("free")],
]


@given(st.lists(st.tuples(st.sampled_from(TARGETS), st.integers(0, 3)), max_size=12))
def test_the_order_of_a_model_holds_however_its_requests_name_it(order: list[tuple[Any, int]]) -> None:
    records = []
    for at, (headers, rows) in enumerate(order):
        raw = any(name == "content-type" for name, _ in headers)
        value = np.full(2 * rows, at, "<f4").tobytes() if raw else json_of(*[[at, at]] * rows) if rows else b"{"
        records.append(record(at, value, *headers))
    chunks, _ = taken(intake_of(), *records)
    free = [at for at, (headers, _) in enumerate(order) if to("free") in headers]
    assert offsets_of(chunks, "free") == free
    assert offsets_of(chunks, "m") == [at for at in range(len(order)) if at not in free]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([to("nobody")], ErrorCode.UNKNOWN_MODEL),
        ([to("m"), ("penstock-version", b"9")], ErrorCode.VERSION_GONE),
        ([to("../../x")], ErrorCode.BAD_NAME),
        ([("penstock-schema", b"9")], ErrorCode.UNSUPPORTED),
        ([("penstock-reply-partition", b"4")], ErrorCode.BAD_VALUE),
        ([("penstock-reply-topic", b"mine"), ("reply_to", b"replies")], ErrorCode.AMBIGUOUS_HEADER),
        ([("x", b"a" * 20_000)], ErrorCode.TOO_LARGE),
    ],
)
def test_wrong_headers_are_answered_on_the_default_topic_without_a_model(headers: Any, code: ErrorCode) -> None:
    chunks, unanswerable = taken(intake_of(), record(0, json_of([0, 0]), *headers), record(1, json_of([1, 1])))
    failed, good = chunks
    assert unanswerable == []
    assert (failed.key.model, failed.rows, failed.inputs) == ("", 0, {})
    assert error_of(failed.requests[0]) is code
    assert failed.requests[0].route == ("replies", 1)
    assert offsets_of([good], "m") == [1]


@pytest.mark.parametrize(
    ("topic", "code"), [("secret", ErrorCode.REPLY_FORBIDDEN), ("missing", ErrorCode.REPLY_UNKNOWN)]
)
def test_what_cannot_be_answered_is_handed_back_with_the_reason(topic: str, code: ErrorCode) -> None:
    chunks, unanswerable = taken(
        intake_of(), record(0, json_of([0, 0]), ("reply_to", topic.encode())), record(1, json_of([1, 1]))
    )
    assert [(request.route, error_of(request)) for request in unanswerable] == [(None, code)]
    assert offsets_of(chunks, "m") == [1]


def test_nothing_can_be_answered_without_the_default_topic_but_what_names_another() -> None:
    chunks, unanswerable = taken(
        intake_of(reply_topic="gone"), record(0, json_of([0, 0])), record(1, json_of([1, 1]), ("reply_to", b"mine"))
    )
    assert [error_of(request) for request in unanswerable] == [ErrorCode.REPLY_UNKNOWN]
    assert [request.route for chunk in chunks for request in chunk.requests] == [("mine", 0)]


def test_a_service_without_a_default_model_asks_for_a_name() -> None:
    chunks, _ = taken(intake_of(default=None), record(0, json_of([0, 0])), record(1, json_of([1, 1]), to("m")))
    assert [error_of(request) for chunk in chunks for request in chunk.requests] == [ErrorCode.UNKNOWN_MODEL, None]


NOW_MS = int(time.time() * 1000)


@pytest.mark.parametrize(
    ("timestamp", "left_s"),
    [
        (NOW_MS, 60.0),
        (NOW_MS - 50_000, 10.0),
        (NOW_MS - 90_000, -30.0),  # late already
        (-1, 60.0),
        (-(2**63), 60.0),
        (0, 60.0),
        (253_402_300_799_000, 60.0),  # year 9999
        (2**63 - 1, 60.0),
        (NOW_MS + 5_000, 65.0),  # a clock that is a little ahead
        (NOW_MS + 2 * DAY_S * 1000, 60.0),
    ],
    ids=["now", "earlier", "late", "negative", "least", "epoch", "year-9999", "greatest", "ahead", "tomorrow"],
)
def test_a_deadline_counts_from_the_timestamp_unless_that_is_nobodys_clock(timestamp: int, left_s: float) -> None:
    headers = ("penstock-timeout-ms", b"60000")
    since_s = time.time() - NOW_MS / 1000 if 0 < timestamp < NOW_MS + DAY_S * 1000 else 0.0
    (chunk,), _ = taken(intake_of(), record(0, json_of([0, 0]), headers, timestamp=timestamp))
    assert chunk.deadline == chunk.requests[0].deadline
    assert chunk.deadline is not None
    assert chunk.deadline - time.monotonic() == pytest.approx(left_s - since_s, abs=2)


def test_a_chunk_knows_its_earliest_deadline() -> None:
    records = [record(at, json_of([at, at]), ("penstock-timeout-ms", b"%d" % ms)) for at, ms in enumerate([9000, 3000])]
    (chunk,), _ = taken(intake_of(), *records, record(2, json_of([2, 2])))
    deadlines = [request.deadline for request in chunk.requests]
    assert chunk.deadline == deadlines[1]
    assert deadlines[2] is None


def test_a_model_that_was_replaced_is_decoded_by_its_new_signature() -> None:
    table = ModelTable("m")
    intake = Intake(table, ReplyRouter(KnownTopics({}), "replies", bool), Limits())
    for number, size in enumerate([2, 3, 4]):
        table.add(model("m", shape=(size,)))
        (chunk,), _ = taken(intake, record(0, json_of([0] * size)))
        assert error_of(chunk.requests[0]) is None, number
    assert len(intake._decoders) == 1


def test_the_weight_of_a_request_counts_key_and_value() -> None:
    (chunk,), _ = taken(intake_of(), record(0, json_of([0, 0])), record(1, None))
    assert sum(request.weight for request in chunk.requests) == 2 * 512 + len(json_of([0, 0]))
    (chunk,), _ = taken(intake_of(), record(0, json_of([0, 0]), key=b"twelve bytes"))
    assert [request.weight for request in chunk.requests] == [512 + len(json_of([0, 0])) + 12]


def test_requests_with_correlation_ids_of_their_own_stay_in_one_block() -> None:
    headers = [[("penstock-id", b"%d" % at), ("penstock-timeout-ms", b"9000")] for at in range(6)]
    (chunk,), _ = taken(intake_of(), *(record(at, json_of([at, at]), *headers[at]) for at in range(6)))
    assert isinstance(chunk.requests, RequestBlock)
    assert [request.echo for request in chunk.requests] == [(("penstock-id", b"%d" % at),) for at in range(6)]
    assert all(request.deadline is not None for request in chunk.requests)


def test_requests_that_answer_elsewhere_keep_their_order_and_their_routes() -> None:
    headers = [[("reply_to", b"mine")], [], [("reply_to", b"mine")], [("reply_to", b"mine")]]
    records = [record(at, json_of([at, at]), *headers[at]) for at in range(4)]
    (chunk,), _ = taken(intake_of(), *records)
    assert isinstance(chunk.requests, RequestBlock)
    assert [request.route for request in chunk.requests] == [("mine", 0), ("replies", 1), ("mine", 0), ("mine", 0)]


def test_several_correlation_headers_are_all_echoed() -> None:
    headers = [("penstock-id", b"7"), ("correlation_id", b"7")]
    (chunk,), _ = taken(intake_of(), record(0, json_of([0, 0]), *headers))
    assert [request.echo for request in chunk.requests] == [tuple(headers)]
