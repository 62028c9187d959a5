"""Rows 33, 34, 36, 37, 38 and 41: what the model makes of its rows, and what depends on a policy."""

from typing import Any

import orjson
import pytest

from penstock.core.routing import Split
from penstock.schemas.control.resources import parse_scope
from penstock.schemas.control.specs import Throttle
from tests.bad_input.desk import Desk, last_headers
from tests.bad_input.outputs import INF, ROWS, number, raw
from tests.bad_input.rows import RAW, Answer, Error, Outcome, Request, Row, asking, cases, to
from tests.support.waiting import until


@cases(ROWS)
async def test_row_among_neighbours_of_its_own_model(desk: Desk, row: Row) -> None:
    good, answer = _good_for(row)
    requests = [good, row.request, good]
    await _have(desk, requests, [answer, row.outcome, answer])


def _good_for(row: Row) -> tuple[Request, Answer]:
    model = dict(row.request.headers).get("penstock-model")
    if model == b"lookup":
        return Request(number(1, "index", "INT64"), to("lookup")), Answer([10.0])
    if model == b"inverse":
        return Request(number(4), to("inverse")), Answer([0.25])
    return Request(), Answer()


@pytest.mark.parametrize("bad", [{0}, {31, 32}, {63}, set(range(0, 64, 7))], ids=["first", "middle", "last", "many"])
async def test_36_a_bad_row_fails_alone_in_a_batch_of_64(desk: Desk, bad: set[int]) -> None:
    requests = [Request(asking(data=[at, 666 if at in bad else 1, 0])) for at in range(64)]
    kinds: list[Outcome] = [Error("MODEL_FAILED") if at in bad else Answer([2 * at, 2, 0]) for at in range(64)]
    replies = await _have(desk, requests, kinds)
    assert [reply.offset for reply in replies] == sorted(reply.offset for reply in replies), "one key, in order"


async def test_37_an_answer_that_is_not_finite_is_refused_in_raw_bytes_too_where_the_policy_says_so(desk: Desk) -> None:
    table = desk.worker._table
    split = Split(("1",), (1.0,))
    bad = Request(raw(0.0), to("inverse", RAW))
    good = Request(raw(4.0), to("inverse", RAW))
    for refuses, outcome in ((True, Error("BAD_OUTPUT")), (False, Answer(raw(INF)))):
        table.divide("inverse", split, refuses_not_finite=refuses)
        await _have(desk, [good, bad, good], [Answer(raw(0.25)), outcome, Answer(raw(0.25))])


async def test_38_the_bound_on_a_reply_is_checked_before_the_send(desk: Desk) -> None:
    refused = desk.worker.value("penstock_requests_total")
    (reply,) = await _have(desk, [Request(asking(shape=[9000, 3], data=[1] * 27_000))], [Error("REPLY_TOO_LARGE")])
    assert "bytes, more than the reply topic takes" in orjson.loads(reply.value)["error"]
    assert desk.worker.value("penstock_requests_total") == refused + 1


def tenant(name: bytes) -> Request:
    return Request(headers=[("penstock-tenant", name)])


async def test_41_who_is_over_its_quota_is_told_when_to_come_back(desk: Desk) -> None:
    throttling = desk.worker.worker.throttling
    throttling.apply({parse_scope("tenant:a"): Throttle(rows_per_s=0.001, burst=1.0, on_excess="reject")})
    requests = [tenant(b"a"), tenant(b"a"), tenant(b"b")]
    replies = await _have(desk, requests, [Answer(), Error("THROTTLED"), Answer()])
    throttling.apply({})
    assert 0 < int(last_headers(replies[1])["penstock-retry-after-ms"]) <= 1_000_000
    assert orjson.loads(replies[1].value)["retryable"]


async def test_41_or_waits_where_the_policy_says_so(desk: Desk) -> None:
    throttling = desk.worker.worker.throttling
    throttling.apply({parse_scope("tenant:a"): Throttle(rows_per_s=0.0)})
    sources = await desk.send([tenant(b"b"), tenant(b"a"), tenant(b"b")], 6)
    await desk.outcomes([sources[0], sources[2]])
    await until(lambda: desk.worker.value("penstock_delayed_requests") == 1)
    assert sources[1] not in desk.found
    throttling.apply({})
    (reply,) = await desk.outcomes([sources[1]])
    desk.check(tenant(b"a"), reply, Answer())
    await desk.passed(sources[2])


async def _have(desk: Desk, requests: list[Request], kinds: list[Outcome]) -> list[Any]:
    return await desk.have(await desk.send(requests, 5), requests, kinds)
