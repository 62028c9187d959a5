"""The micro-batcher: nothing is lost, doubled, reordered or mixed, and nobody waits without need."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from penstock.core.batch import Batch
from penstock.core.batcher import BatchPolicy, MicroBatcher
from penstock.core.chunk import BatchKey, Chunk
from penstock.schemas.errors import ErrorCode, RequestError

KEYS = [
    BatchKey("a"),
    BatchKey("a", "2"),
    BatchKey("a", None, ((3,),)),
    BatchKey("b", max_rows=3),
    BatchKey("c", batched=False),
    BatchKey(""),
]


class Request:
    """A request with a number of its own, which its rows hold too."""

    def __init__(self, number: int, rows: int, deadline: float | None = None) -> None:
        self.number = number
        self.rows = rows
        self.deadline = deadline
        self.error: RequestError | None = None

    def fail(self, error: RequestError) -> None:
        self.error = error
        self.rows = 0


def chunk_of(key: BatchKey, requests: list[Request], now: float = 0.0) -> Chunk[Request]:
    rows = sum(request.rows for request in requests)
    numbers = np.repeat([request.number for request in requests], [request.rows for request in requests])
    deadlines = [request.deadline for request in requests if request.deadline is not None]
    uniform = all(request.rows == 1 for request in requests)
    return Chunk(key, requests, {"x": numbers} if rows else {}, rows, now, min(deadlines, default=None), uniform)


def singles(key: BatchKey, first: int, count: int, now: float = 0.0) -> Chunk[Request]:
    return chunk_of(key, [Request(number, 1) for number in range(first, first + count)], now)


def batcher_of(*chunks: Chunk[Request], max_rows: int = 4, max_delay_s: float = 0.0) -> MicroBatcher[Request]:
    batcher: MicroBatcher[Request] = MicroBatcher(BatchPolicy(max_rows=max_rows, max_delay_s=max_delay_s))
    batcher.add(chunks)
    return batcher


def numbers(batch: Batch[Request] | None) -> list[int]:
    return [] if batch is None else [request.number for request in batch.requests]


def drained(batcher: MicroBatcher[Request], now: float = 0.0) -> list[list[int]]:
    taken: list[list[int]] = []
    while (batch := batcher.take(now)) is not None:
        taken.append(numbers(batch))
    return taken


class BatcherMachine(RuleBasedStateMachine):
    """Adds, takes and clears at will, and compares with a list of requests per model."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.count = 0
        self.waiting: dict[str, list[Request]] = {}
        self.failed: list[Batch[Request]] = []

    @initialize(max_rows=st.integers(1, 6), max_delay_s=st.sampled_from([0.0, 0.1, 1.0]))
    def start(self, max_rows: int, max_delay_s: float) -> None:
        self.policy = BatchPolicy(max_rows=max_rows, max_delay_s=max_delay_s)
        self.batcher: MicroBatcher[Request] = MicroBatcher(self.policy)

    @rule(
        key=st.sampled_from(KEYS),
        sizes=st.lists(st.integers(0, 3), max_size=6) | st.lists(st.just(1), max_size=6) | st.just([9]),
        lasts=st.none() | st.integers(0, 3).map(float),
    )
    def add(self, key: BatchKey, sizes: list[int], lasts: float | None) -> None:
        sizes = [0] * len(sizes) if not key.model else [1] if not key.batched else sizes
        deadline = None if lasts is None else self.now + lasts
        requests = [Request(self.count + at, rows, deadline) for at, rows in enumerate(sizes)]
        self.count += len(requests)
        self.waiting.setdefault(key.model, []).extend(requests)
        self.batcher.add([chunk_of(key, requests, self.now)])

    @rule(seconds=st.sampled_from([0.05, 0.1, 0.3, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        batch = self.batcher.take(self.now)
        if batch is None:
            due = self.batcher.next_due()
            assert (due is None) == (len(self.batcher) == 0)
            assert due is None or due > self.now
            return
        self.check(batch)
        waiting = self.waiting[batch.key.model]
        assert batch.requests == waiting[: len(batch.requests)], "a batch is a prefix of what waits for its model"
        del waiting[: len(batch.requests)]

    def check(self, batch: Batch[Request]) -> None:
        assert {chunk.key for chunk in batch.chunks} == {batch.key}
        assert all(chunk.requests for chunk in batch.chunks)
        assert batch.rows == sum(request.rows for request in batch.requests)
        wanted = [request.number for request in batch.requests for _ in range(request.rows)]
        assert wanted == [] or batch.stack()["x"].tolist() == wanted
        most = min(self.policy.max_rows, batch.key.max_rows or self.policy.max_rows)
        assert batch.rows <= most or sum(request.rows > 0 for request in batch.requests) == 1
        assert batch.key.batched or len(batch.requests) == 1
        for request in batch.requests:
            assert request.deadline is None or request.rows == 0 or request.deadline > self.now

    @rule()
    def clear(self) -> None:
        dropped = {request.number for request in self.batcher.clear()}
        assert dropped == {request.number for requests in self.waiting.values() for request in requests}
        self.waiting = {}

    @invariant()
    def counts_what_waits(self) -> None:
        waiting = [request for requests in self.waiting.values() for request in requests]
        assert (len(self.batcher), self.batcher.rows) == (len(waiting), sum(request.rows for request in waiting))

    def teardown(self) -> None:
        """Whatever waits leaves, each request once."""
        while (batch := self.batcher.take(self.now + 10)) is not None:
            self.now += 10
            self.check(batch)
            waiting = self.waiting[batch.key.model]
            assert batch.requests == waiting[: len(batch.requests)]
            del waiting[: len(batch.requests)]
        assert not any(self.waiting.values())


BatcherMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
test_the_batcher_agrees_with_a_list_per_model = BatcherMachine.TestCase


def test_an_idle_service_answers_at_once() -> None:
    batcher = batcher_of(singles(KEYS[0], 0, 1))
    assert numbers(batcher.take(0.0)) == [0]
    assert batcher.take(0.0) is None


def test_what_gathered_meanwhile_leaves_in_full_batches() -> None:
    batcher = batcher_of(singles(KEYS[0], 0, 3), singles(KEYS[0], 3, 7))
    assert drained(batcher) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_request_larger_than_a_batch_runs_alone() -> None:
    requests = [Request(0, 1), Request(1, 9), Request(2, 4), Request(3, 1)]
    assert drained(batcher_of(chunk_of(KEYS[0], requests))) == [[0], [1], [2], [3]]


def test_a_model_may_take_fewer_rows_than_the_service() -> None:
    assert drained(batcher_of(singles(KEYS[3], 0, 5))) == [[0, 1, 2], [3, 4]]
    assert drained(batcher_of(singles(KEYS[3], 0, 5), max_rows=2)) == [[0, 1], [2, 3], [4]]


def test_keys_are_never_mixed_and_the_order_of_a_model_holds() -> None:
    batcher = batcher_of(singles(KEYS[0], 0, 1), singles(KEYS[1], 1, 1), singles(KEYS[0], 2, 1), singles(KEYS[0], 3, 1))
    assert drained(batcher) == [[0], [1], [2, 3]]


def test_an_unbatched_model_takes_one_request_at_a_time() -> None:
    assert drained(batcher_of(*(singles(KEYS[4], number, 1) for number in range(3)))) == [[0], [1], [2]]


def test_the_model_whose_head_has_waited_longest_goes_first() -> None:
    batcher = batcher_of(singles(KEYS[3], 0, 1, now=2.0), singles(KEYS[0], 1, 1, now=1.0))
    assert drained(batcher, now=3.0) == [[1], [0]]


def test_an_incomplete_batch_waits_for_max_delay() -> None:
    batcher = batcher_of(singles(KEYS[0], 0, 3, now=1.0), max_delay_s=0.5)
    assert batcher.next_due() == 1.5
    assert batcher.take(1.499) is None
    assert numbers(batcher.take(1.5)) == [0, 1, 2]
    assert batcher.next_due() is None


@pytest.mark.parametrize(("arrived", "delay"), [(0.1, 0.7), (134.364, 0.005), (255.069, 0.1), (651.593, 0.005)])
def test_a_batch_is_due_at_the_very_time_that_next_due_names(arrived: float, delay: float) -> None:
    batcher = batcher_of(singles(KEYS[0], 0, 1, now=arrived), max_delay_s=delay)
    due = batcher.next_due()
    assert due is not None
    assert numbers(batcher.take(due)) == [0]


@pytest.mark.parametrize(
    "more",
    [lambda: singles(KEYS[0], 3, 1), lambda: singles(KEYS[1], 3, 1)],
    ids=["it is full", "another key follows"],
)
def test_a_batch_that_cannot_grow_does_not_wait(more: Callable[[], Chunk[Request]]) -> None:
    batcher = batcher_of(singles(KEYS[0], 0, 3), max_delay_s=5.0)
    assert batcher.take(0.0) is None
    batcher.add([more()])
    assert numbers(batcher.take(0.0))[:3] == [0, 1, 2]


def test_the_halves_of_a_failed_batch_hold_its_requests_in_order() -> None:
    batch = batcher_of(singles(KEYS[0], 0, 3), singles(KEYS[0], 3, 1)).take(0.0)
    assert batch is not None
    halves = batch.halves(0.0)
    assert [numbers(half) for half in halves] == [[0, 1], [2, 3]]
    assert [half.stack()["x"].tolist() for half in halves] == [[0, 1], [2, 3]]


def test_the_expired_are_failed_and_not_run() -> None:
    requests = [Request(0, 1, deadline=1.0), Request(1, 2), Request(2, 1, deadline=9.0)]
    batch = batcher_of(chunk_of(KEYS[0], requests)).take(1.0)
    assert batch is not None
    assert batch.rows == 3
    assert batch.stack()["x"].tolist() == [1, 1, 2]
    assert requests[0].error is not None
    assert requests[0].error.code is ErrorCode.EXPIRED
    assert [request.error for request in requests[1:]] == [None, None]


def test_a_deadline_holds_for_the_halves_of_a_failed_batch_too() -> None:
    first, second = chunk_of(KEYS[0], [Request(0, 1, deadline=2.0)]), singles(KEYS[0], 1, 1)
    batch = batcher_of(first, second).take(1.0)
    assert batch is not None
    late, other = batch.halves(3.0)
    assert (late.rows, numbers(late), other.rows) == (0, [0], 1)


def test_who_waits_for_a_model_that_does_not_come_expires_all_the_same() -> None:
    requests = [Request(0, 1, deadline=2.0), Request(1, 1, deadline=3.0)]
    batcher: MicroBatcher[Request] = MicroBatcher(BatchPolicy(), lambda *_: False)
    batcher.add([chunk_of(KEYS[0], requests), singles(KEYS[0], 2, 1)])
    assert (batcher.take(1.0), batcher.next_due()) == (None, 2.0)
    assert (batcher.take(2.0), batcher.next_due(), batcher.rows) == (None, 3.0, 2)
    late = batcher.take(3.0)
    assert late is not None
    assert (numbers(late), late.rows) == ([0, 1], 0)
    assert all(request.error is not None for request in requests)
    assert (batcher.take(9.0), batcher.next_due(), batcher.rows, batcher.requests) == (None, None, 1, 1)


def test_empty_chunks_are_passed_over() -> None:
    batcher = batcher_of(chunk_of(KEYS[0], []))
    assert batcher.take(9.0) is None
    assert batcher.next_due() is None


@pytest.mark.parametrize(
    ("name", "value"), [("max_rows", 0), ("max_delay_s", -0.1), ("max_delay_s", 60.0), ("max_delay_s", float("nan"))]
)
def test_a_policy_that_cannot_work_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        BatchPolicy(**{name: value})  # type: ignore[arg-type]


def test_repr_shows_what_is_queued() -> None:
    batcher = batcher_of(singles(KEYS[3], 0, 2), chunk_of(KEYS[0], [Request(2, 3)]))
    assert repr(batcher) == "<MicroBatcher 3 requests, 5 rows, models ['a', 'b']>"


@pytest.mark.parametrize(
    ("ran", "most"),
    [
        ([], 4),
        ([(4, 4e-5)], 8),
        ([(3, 1e-6)], 4),  # not a full batch: it says nothing
        ([(4, 5e-5)], 4),
        ([(4, 4e-5), (8, 1e-3)], 4),  # too slow at last
        ([(4, 1.0), (4, 1e-5)], 8),
    ],
)
def test_a_model_that_runs_full_batches_quickly_gets_larger_ones(ran: list[tuple[int, float]], most: int) -> None:
    batcher: MicroBatcher[Request] = MicroBatcher(BatchPolicy(max_rows=4, quick_rows=8))
    for rows, seconds in ran:
        batcher.observe("a", rows, seconds)
    batcher.add([singles(BatchKey("a"), 0, 20), singles(BatchKey("other"), 20, 20)])
    assert batcher.most_rows == most
    sizes = {taken[0]: len(taken) for taken in drained(batcher)}
    assert sizes[0] == most
    assert sizes[20] == 4, "what one model has shown says nothing of another"


def test_a_quick_models_own_bound_still_holds() -> None:
    batcher: MicroBatcher[Request] = MicroBatcher(BatchPolicy(max_rows=4, quick_rows=8))
    batcher.observe("b", 4, 1e-5)
    batcher.add([singles(BatchKey("b", max_rows=3), 0, 9)])
    assert drained(batcher) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_model_may_have_a_policy_of_its_own() -> None:
    batcher: MicroBatcher[Request] = MicroBatcher(BatchPolicy(max_rows=4))
    batcher.set_policies({"b": BatchPolicy(max_rows=2, max_delay_s=1.0)})
    batcher.add([singles(BatchKey("a"), 0, 5), singles(BatchKey("b"), 5, 3)])
    assert drained(batcher) == [[0, 1, 2, 3], [4], [5, 6]]
    assert batcher.next_due() == 1.0
    batcher.set_policies({})
    assert drained(batcher) == [[7]]


def test_what_waits_for_its_model_holds_up_nobody_else() -> None:
    loaded = {"a"}
    batcher: MicroBatcher[Request] = MicroBatcher(BatchPolicy(max_rows=4), lambda model, _: model in loaded)
    batcher.add([singles(BatchKey("b"), 0, 3, now=0.0), singles(BatchKey("a"), 3, 2, now=1.0)])
    assert (batcher.rows, batcher.ready_rows) == (5, 2)
    assert drained(batcher, now=2.0) == [[3, 4]]
    assert batcher.next_due() is None
    loaded.add("b")
    assert (batcher.next_due(), batcher.ready_rows) == (0.0, 3)
    assert drained(batcher, now=2.0) == [[0, 1, 2]]
