"""What becomes of batches that fail: the requests to blame are found, and nobody else pays."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.consumer.inferring import Inferring
from penstock.consumer.outbox import Outbox
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.queue import RequestQueue
from penstock.consumer.suspects.journal import Run
from penstock.consumer.suspects.suspects import Suspects
from penstock.core.batch import Batch
from penstock.core.batcher import BatchPolicy, MicroBatcher
from penstock.core.callable_model import CallableModel
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.engine import Inference, InferenceEngine
from penstock.core.evicted_model import EvictedModel
from penstock.core.model import Array, Signature, Tensors, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.schemas.envelope import BARE
from penstock.schemas.errors import ErrorCode, ModelCrashed, ModelDown, ModelError, TransientModelError, ValueRefused
from tests.support.examples import examples
from tests.support.waiting import until

SIGNATURE = Signature((TensorSpec("x", "INT64", ()),), (TensorSpec("y", "INT64", ()),))
PROGRESS = PartitionProgress(TopicPartition("requests", 0), 0)


class Fragile(CallableModel):
    """y = 2 x; fails as told for some x, and remembers which requests it ran alone.

    Args:
        failures: what it raises, by x.
    """

    def __init__(self, failures: dict[int, ModelError]) -> None:
        super().__init__("m", "1", dict, SIGNATURE)
        self._failures = failures
        self.alone: Counter[int] = Counter()
        self.failed = 0

    def run(self, inputs: Tensors) -> dict[str, Array]:
        numbers = set(inputs["x"].tolist())
        if len(numbers) == 1:
            self.alone.update(numbers)
        for number in sorted(numbers & self._failures.keys()):
            self.failed += 1
            raise self._failures[number]
        return {"y": inputs["x"] * 2}


class Answers:
    """An outbox that keeps what it is given: each request's number, and its answer or error code, in order."""

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self.found: list[tuple[int, int | ErrorCode]] = []
        self.all = asyncio.Event()

    def answer(self, batch: Batch[PendingRequest], inference: Inference) -> None:
        row = 0
        for request in batch.requests:
            number = request.record.offset
            answered = request.error.code if request.error else int(inference.outputs["y"][row])
            self.found.append((number, answered))
            row += request.rows
        if len(self.found) >= self._enough:
            self.all.set()


def request_of(number: int, rows: int = 1) -> PendingRequest:
    record = ConsumerRecord("requests", 0, number, 77, 0, None, b"", None, -1, 0, ())
    request = PendingRequest(PROGRESS, record, BARE, ("replies", 0))
    request.rows = rows
    return request


def chunk_of(requests: Sequence[PendingRequest], model: str = "m") -> Chunk[PendingRequest]:
    x = np.repeat([request.record.offset for request in requests], [request.rows for request in requests])
    return Chunk(BatchKey(model), list(requests), {"x": x.astype(np.int64)}, len(x), 0.0)


def served(
    rows: Sequence[int],
    model: Fragile,
    *,
    max_rows: int = 512,
    suspects: Suspects | None = None,
    retry_budget_s: float = 0.0,
) -> list[tuple[int, int | ErrorCode]]:
    """Serve requests, numbered from 0, with so many rows each; return what each was answered."""

    async def serve() -> list[tuple[int, Any]]:
        table = ModelTable()
        table.add(model)
        engine = InferenceEngine(table)
        queue = RequestQueue(MicroBatcher(BatchPolicy(max_rows=max_rows)))
        answers = Answers(len(rows))
        inferring = Inferring(
            queue, engine, cast(Outbox, answers), table, suspects=suspects, retry_budget_s=retry_budget_s
        )
        queue.add([chunk_of([request_of(number, count) for number, count in enumerate(rows)])])
        engine.start()
        task = asyncio.create_task(inferring.run())
        async with asyncio.timeout(30):
            await answers.all.wait()
        task.cancel()
        await asyncio.wait([task])
        assert await engine.close(5)
        return answers.found

    return asyncio.run(serve())


def crash() -> ModelError:
    return ModelCrashed("the process of m@1 died of SIGSEGV while running", -11)


@contextmanager
def short_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.consumer.outages._FIRST_PAUSE_S", 0.001)
        patch.setattr("penstock.consumer.outages._MAX_PAUSE_S", 0.01)
        yield


def failing(numbers: set[int], error: ModelError) -> dict[int, ModelError]:
    return dict.fromkeys(numbers, error)


def expected(count: int, codes: dict[int, ErrorCode]) -> list[tuple[int, int | ErrorCode]]:
    return [(number, codes.get(number, 2 * number)) for number in range(count)]


@st.composite
def traffic(draw: st.DrawFn) -> tuple[list[int], set[int], set[int], int]:
    """Rows of each request, those that kill, those that raise, and the most rows of a batch."""
    rows = draw(st.lists(st.integers(1, 3), min_size=1, max_size=60))
    fates = draw(st.lists(st.sampled_from(["good"] * 6 + ["kills", "raises"]), min_size=len(rows), max_size=len(rows)))
    found = {fate: {number for number, each in enumerate(fates) if each == fate} for fate in ("kills", "raises")}
    return rows, found["kills"], found["raises"], draw(st.sampled_from([4, 64, 512]))


@settings(max_examples=examples(100), deadline=None)
@given(traffic())
def test_exactly_those_fail_that_are_to_blame_in_order_after_two_lone_tries(
    given_: tuple[list[int], set[int], set[int], int],
) -> None:
    rows, kills, raises, max_rows = given_
    model = Fragile(failing(kills, crash()) | failing(raises, ModelError("raised")))
    answers = served(rows, model, max_rows=max_rows)
    codes = dict.fromkeys(kills, ErrorCode.POISON) | dict.fromkeys(raises, ErrorCode.MODEL_FAILED)
    assert answers == expected(len(rows), codes)
    assert {number: model.alone[number] for number in kills} == dict.fromkeys(kills, 2)
    assert all(model.alone[number] <= 1 for number in range(len(rows)) if number not in kills)


def test_one_deadly_request_among_512_costs_five_processes() -> None:
    model = Fragile(failing({300}, crash()))
    assert served([1] * 512, model) == expected(512, {300: ErrorCode.POISON})
    assert model.failed == 5, "of 512, 32, 2 and 1 requests, and once more"


def test_a_model_that_is_down_fails_its_batches_whole() -> None:
    model = Fragile(failing({3}, ModelDown("m@1 is down")))
    assert [code for _, code in served([1] * 8, model)] == [ErrorCode.UNAVAILABLE] * 8
    assert model.failed == 1


def test_a_suspect_runs_alone_and_one_that_two_workers_died_of_runs_no_more() -> None:
    suspects = Suspects()
    suspects.add((Run("m", "requests", 0, 2, 5, None),))
    for _ in range(2):
        suspects.add((Run("m", "requests", 0, 4, 4, 77),))
    model = Fragile({})
    assert served([1, 2, 1, 2, 1, 1, 1], model, suspects=suspects) == expected(7, {4: ErrorCode.POISON})
    assert model.alone == Counter({2: 1, 3: 1, 5: 1, 6: 1})


class Flaky(Fragile):
    """Cannot answer the first runs of some x, so many of each; remembers what it ran, in order."""

    def __init__(self, away: dict[int, int], failures: dict[int, ModelError] | None = None) -> None:
        super().__init__(failures or {})
        self.away = Counter(away)
        self.ran: list[list[int]] = []

    def run(self, inputs: Tensors) -> dict[str, Array]:
        numbers = inputs["x"].tolist()
        self.ran.append(numbers)
        for number in numbers:
            if self.away[number] > 0:
                self.away[number] -= 1
                raise TransientModelError("m@1 raised TransientModelError")
        return super().run(inputs)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=40),
    st.dictionaries(st.integers(0, 39), st.integers(1, 2), max_size=4),
    st.sets(st.integers(0, 39), max_size=3),
)
def test_a_model_that_was_away_answers_everything_in_order_in_the_end(
    rows: list[int], away: dict[int, int], kills: set[int]
) -> None:
    kills = {number for number in kills if number < len(rows)}
    model = Flaky(away, failing(kills, crash()))
    with short_pauses():
        answers = served(rows, model, max_rows=8, retry_budget_s=60.0)
    assert answers == expected(len(rows), dict.fromkeys(kills, ErrorCode.POISON))
    assert all(model.alone[number] <= 2 for number in kills)


def test_a_model_that_stays_away_beyond_the_budget_fails_its_batches_and_those_that_follow() -> None:
    model = Flaky(dict.fromkeys(range(6), 10**9))
    with short_pauses():
        answers = served([1] * 6, model, max_rows=2, retry_budget_s=0.05)
    assert answers == expected(6, dict.fromkeys(range(6), ErrorCode.UNAVAILABLE))
    assert model.ran.count([0, 1]) > 2
    assert model.ran.count([4, 5]) <= model.ran.count([0, 1])
    assert [numbers for numbers in model.ran if len(numbers) == 1] == [], "nobody is searched for"


def test_without_a_budget_nothing_is_tried_again() -> None:
    model = Flaky({0: 1})
    assert served([1, 1], model) == expected(2, dict.fromkeys(range(2), ErrorCode.UNAVAILABLE))
    assert model.ran == [[0, 1]]


def test_a_value_that_the_model_refuses_is_the_requests_fault() -> None:
    model = Fragile(failing({1}, ValueRefused("m@1 failed: an index is beyond what it points into")))
    assert served([1, 1, 1], model) == expected(3, {1: ErrorCode.BAD_VALUE})


async def test_other_models_go_on_while_one_rests_and_what_it_has_is_given_back() -> None:
    away, other = Flaky({0: 10**9}), CallableModel("other", "1", lambda inputs: {"y": inputs["x"] * 2}, SIGNATURE)
    table = ModelTable()
    table.add(away)
    table.add(other)
    engine = InferenceEngine(table)
    engine.start()
    queue, answers = RequestQueue(MicroBatcher(BatchPolicy(max_rows=2))), Answers(4)
    inferring = Inferring(queue, engine, cast(Outbox, answers), table, retry_budget_s=3600.0)
    queue.add([chunk_of([request_of(number) for number in range(6)])])
    queue.add([chunk_of([request_of(number) for number in range(10, 14)], "other")])
    task = asyncio.create_task(inferring.run())
    async with asyncio.timeout(10):
        await answers.all.wait()
    assert answers.found == [(number, 2 * number) for number in range(10, 14)]
    given_back = [*inferring.give_back(), *queue.clear()]
    assert [request.record.offset for request in given_back] == list(range(6))
    assert len(inferring) == 0
    task.cancel()
    await asyncio.wait([task])
    assert await engine.close(5)


async def test_a_model_that_leaves_memory_while_it_rests_is_waited_for() -> None:
    model, table, wanted = Flaky({0: 1}), ModelTable(), asyncio.Event()
    table.add(model)
    table.on_wanted = lambda *_: wanted.set()
    engine = InferenceEngine(table)
    queue, answers = RequestQueue(MicroBatcher(BatchPolicy(), table.is_ready)), Answers(3)
    inferring = Inferring(queue, engine, cast(Outbox, answers), table, retry_budget_s=3600.0)
    queue.add([chunk_of([request_of(number) for number in range(3)])])
    engine.start()
    task = asyncio.create_task(inferring.run())
    await until(lambda: model.ran)
    table.replace(EvictedModel("m", "1", SIGNATURE))
    async with asyncio.timeout(10):
        await wanted.wait()
        table.replace(model)
        await answers.all.wait()
    assert answers.found == expected(3, {})
    task.cancel()
    await asyncio.wait([task])
    assert await engine.close(5)


async def test_what_expires_while_its_model_is_away_is_answered_so() -> None:
    model, table = Flaky({0: 3}), ModelTable()
    table.add(model)
    engine = InferenceEngine(table)
    queue, answers = RequestQueue(MicroBatcher(BatchPolicy())), Answers(3)
    inferring = Inferring(queue, engine, cast(Outbox, answers), table, retry_budget_s=3600.0)
    chunk = chunk_of([request_of(number) for number in range(3)])
    chunk.deadline = chunk.itemised()[1].deadline = time.monotonic() + 0.2
    queue.add([chunk])
    engine.start()
    task = asyncio.create_task(inferring.run())
    async with asyncio.timeout(10):
        await answers.all.wait()
    assert answers.found == expected(3, {1: ErrorCode.EXPIRED})
    assert model.ran[-1] == [0, 2]
    task.cancel()
    await asyncio.wait([task])
    assert await engine.close(5)
