"""Chunks and batches: rows and requests stay together through cuts, drops and joins."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.batch import Batch
from penstock.core.chunk import BatchKey, Chunk
from penstock.schemas.errors import ErrorCode, RequestError

KEY = BatchKey("m")


class Request:
    """A request that knows which rows of the arrays are its own."""

    def __init__(self, number: int, rows: int, deadline: float | None = None) -> None:
        self.number = number
        self.rows = rows
        self.deadline = deadline
        self.error: RequestError | None = None

    def __repr__(self) -> str:
        return f"<Request {self.number} rows={self.rows}>"

    def fail(self, error: RequestError) -> None:
        self.error = error
        self.rows = 0


def chunk_of(requests: Sequence[Request], key: BatchKey = KEY, arrived: float = 0.0) -> Chunk[Request]:
    """A chunk in which each row holds its request's number."""
    numbers = np.repeat([request.number for request in requests], [request.rows for request in requests])
    rows = len(numbers)
    deadlines = [request.deadline for request in requests if request.deadline is not None]
    inputs = {"x": numbers.astype(np.int64), "y": np.stack([numbers, numbers], axis=1)} if rows else {}
    uniform = rows == len(requests) and all(request.rows == 1 for request in requests)
    return Chunk(key, list(requests), inputs, rows, arrived, min(deadlines, default=None), uniform)


def check(chunk: Chunk[Request]) -> None:
    """Assert that the rows of the arrays are those of the requests, in order."""
    wanted = [request.number for request in chunk.requests for _ in range(request.rows)]
    assert chunk.rows == len(wanted)
    if wanted:
        assert chunk.inputs["x"].tolist() == wanted
        assert chunk.inputs["y"].tolist() == [[number, number] for number in wanted]
    assert not chunk.uniform or all(request.rows == 1 for request in chunk.requests)


@st.composite
def chunks(draw: st.DrawFn, least: int = 1) -> Chunk[Request]:
    sizes = draw(
        st.lists(st.integers(0, 4), min_size=least, max_size=12) | st.lists(st.just(1), min_size=least, max_size=12)
    )
    deadlines = st.none() | st.integers(1, 9).map(float)
    return chunk_of([Request(number, rows, draw(deadlines)) for number, rows in enumerate(sizes)])


@given(chunks(), st.integers(1, 12))
def test_a_split_keeps_the_order_and_takes_as_much_as_fits(chunk: Chunk[Request], rows: int) -> None:
    whole, deadline = list(chunk.requests), chunk.deadline
    head, tail = chunk.split(rows)
    check(head)
    check(tail)
    assert [*head.requests, *tail.requests] == whole
    assert (head.deadline, tail.deadline) == (deadline, deadline)
    assert head.requests
    assert head.rows <= rows or len(head.requests) == 1
    assert not tail.requests or head.rows + tail.requests[0].rows > rows


@given(chunks(least=2))
def test_halves_are_smaller_and_whole_together(chunk: Chunk[Request]) -> None:
    head, tail = chunk.halve()
    check(head)
    check(tail)
    assert [*head.requests, *tail.requests] == chunk.requests
    assert 0 < len(head.requests) < len(chunk.requests)


@given(st.integers(1, 300), st.data())
def test_halving_finds_the_one_bad_row_in_two_runs_a_level(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, count - 1))
    todo, runs, good = [chunk_of([Request(number, 1) for number in range(count)])], 0, list[int]()
    while todo:
        chunk = todo.pop(0)
        runs += 1
        if bad not in chunk.inputs["x"]:
            good += [request.number for request in chunk.requests]
        elif len(chunk.requests) > 1:
            todo[:0] = chunk.halve()
        else:
            assert [request.number for request in chunk.requests] == [bad]
    assert good == [number for number in range(count) if number != bad]
    assert runs <= 2 * math.ceil(math.log2(count)) + 1


@given(chunks(), st.integers(0, 10).map(float))
def test_expiry_fails_those_whose_time_is_up_and_takes_out_their_rows(chunk: Chunk[Request], now: float) -> None:
    before = {request.number: request.rows for request in chunk.requests}
    chunk.expire(now)
    check(chunk)
    assert len(chunk.requests) == len(before)
    for request in chunk.requests:
        late = request.deadline is not None and now >= request.deadline
        assert request.rows == (0 if late else before[request.number])
        # One that had failed before keeps its own error.
        assert (request.error is not None) == (late and before[request.number] > 0)
        assert request.error is None or request.error.code is ErrorCode.EXPIRED
    waiting = [request.deadline for request in chunk.requests if request.rows and request.deadline is not None]
    if chunk.deadline is not None:
        assert chunk.deadline > now
        assert chunk.deadline <= min(waiting, default=math.inf)


def test_expiry_looks_at_nobody_before_the_first_deadline() -> None:
    chunk = chunk_of([Request(0, 1, 5.0), Request(1, 1)])
    inputs = chunk.inputs
    chunk.expire(4.999)
    assert chunk.inputs is inputs
    assert chunk.uniform
    chunk.expire(5.0)
    assert (chunk.rows, chunk.uniform, chunk.deadline) == (1, False, None)


def test_an_unbatched_request_keeps_or_loses_its_arrays_as_a_whole() -> None:
    key, matrix = BatchKey("m", batched=False), np.zeros((7, 2))
    for deadline, kept in ((None, True), (9.0, True), (1.0, False)):
        chunk = Chunk(key, [Request(0, 1, deadline)], {"x": matrix}, 1, 0.0, deadline, True)
        chunk.expire(2.0)
        assert (chunk.inputs == {}) is not kept
        assert chunk.rows == kept


@given(st.lists(chunks(), min_size=1, max_size=4))
def test_a_batch_stacks_the_rows_of_its_chunks_in_order(parts: list[Chunk[Request]]) -> None:
    batch = Batch(KEY, parts, sum(chunk.rows for chunk in parts))
    wanted = [request.number for chunk in parts for request in chunk.requests for _ in range(request.rows)]
    stacked = batch.stack()
    assert stacked == {} if not wanted else stacked["x"].tolist() == wanted
    assert batch.requests == [request for chunk in parts for request in chunk.requests]
    assert batch.uniform == all(chunk.uniform for chunk in parts)
    merged = batch.merged()
    check(merged)
    assert merged.requests == batch.requests
    deadlines = [chunk.deadline for chunk in parts if chunk.deadline is not None]
    assert merged.deadline == min(deadlines, default=None)


def test_a_single_chunk_is_not_copied() -> None:
    chunk = chunk_of([Request(0, 2)])
    failed = chunk_of([Request(1, 0)])
    assert Batch(KEY, [failed, chunk], 2).stack() is chunk.inputs
    assert Batch(KEY, [chunk], 2).merged() is chunk


def test_a_batch_is_as_old_as_its_first_chunk() -> None:
    one, other = chunk_of([Request(0, 1)], arrived=3.0), chunk_of([Request(1, 1)], arrived=4.0)
    assert Batch(KEY, [one, other], 2).arrived == 3.0


@pytest.mark.parametrize("keep", [[True, True, True], [False, False, False], [True, False, True]])
def test_dropping_takes_out_exactly_the_rows_of_those_not_kept(keep: list[bool]) -> None:
    chunk = chunk_of([Request(0, 2), Request(1, 0), Request(2, 3)])
    chunk.drop(keep, lambda: RequestError(ErrorCode.EXPIRED, "late"))
    check(chunk)
    assert [request.rows for request in chunk.requests] == [2 * keep[0], 0, 3 * keep[2]]


@given(chunks(), st.data())
def test_what_is_picked_keeps_its_rows_and_its_order(chunk: Chunk[Request], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(chunk.requests) - 1), unique=True).map(sorted))
    part = chunk.pick(places)
    assert list(part.requests) == [chunk.requests[place] for place in places]
    check(part)
    assert part.deadline == chunk.deadline
    check(chunk)


@given(st.lists(chunks(), min_size=1, max_size=4), st.data())
def test_a_batch_is_divided_among_versions_without_loss(parts: list[Chunk[Request]], data: st.DataObject) -> None:
    batch = Batch(KEY, parts, sum(part.rows for part in parts))
    requests = batch.requests
    choice = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(requests), max_size=len(requests))))
    divided = batch.divided(choice, ("1", "2", "3"))
    for part in divided:
        wanted = [request for request, version in zip(requests, choice, strict=True) if "123"[version] == part.version]
        assert part.requests == wanted, "in the order of the batch"
        assert part.rows == sum(chunk.rows for chunk in part.chunks)
        for chunk in part.chunks:
            check(chunk)
    assert sum(len(part.requests) for part in divided) == len(requests)
    assert len({part.version for part in divided}) == len(divided)


def test_what_cannot_be_divided_goes_to_the_first_requests_version() -> None:
    key = BatchKey("m", batched=False)
    failed, good = Request(0, 0), Request(1, 1)
    chunk = Chunk(key, [failed, good], {"x": np.ones(3)}, 1, 0.0)
    (part,) = Batch(key, [chunk], 1).divided(np.array([1, 0]), ("1", "2"))
    assert (part.version, part.chunks) == ("2", [chunk])
