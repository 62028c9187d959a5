"""The engine: a real thread and a real event loop."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penstock.core.batch import Batch
from penstock.core.callable_model import CallableModel
from penstock.core.chunk import BatchKey, Chunk
from penstock.core.engine import InferenceEngine
from penstock.core.evicted_model import EvictedModel
from penstock.core.model import Model, Signature, Tensors, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.core.routing import all_to
from penstock.schemas.errors import ErrorCode, ModelDown, ModelError, RequestError

SIGNATURE = Signature((TensorSpec("x", "INT64", ()),), (TensorSpec("y", "INT64", ()),))
Function = Callable[[dict[str, Any]], Mapping[str, Any]]


class Request:
    """A request of one row."""

    def __init__(self) -> None:
        self.rows = 1
        self.deadline: float | None = None

    def fail(self, error: RequestError) -> None:
        self.rows = 0


def batch_of(*numbers: int, model: str = "m", version: str | None = None, arrived: float = 0.0) -> Batch[Request]:
    key = BatchKey(model, version)
    inputs = {"x": np.array(numbers, dtype=np.int64)}
    chunk = Chunk(key, [Request() for _ in numbers], inputs, len(numbers), arrived)
    return Batch(key, [chunk], len(numbers))


def doubled(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"y": inputs["x"] * 2}


class Bare(CallableModel):
    """A model that returns and raises whatever its function does."""

    def __init__(self, function: Callable[[Tensors], Any]) -> None:
        super().__init__("m", "1", doubled, SIGNATURE)
        self._bare = function

    def run(self, inputs: Tensors) -> Any:
        return self._bare(inputs)


def table_of(model: Model | Function) -> ModelTable:
    models = ModelTable()
    models.add(model if isinstance(model, CallableModel) else CallableModel("m", "1", model, SIGNATURE))  # type: ignore[arg-type]
    return models


class Gate:
    """A model's function that waits until it is let through."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self.entered.set()
        assert self.open.wait(10)
        return doubled(inputs)


@pytest.fixture
async def start() -> AsyncIterator[Callable[[Any], InferenceEngine]]:
    started: list[InferenceEngine] = []

    def begin(model: Any) -> InferenceEngine:
        engine = InferenceEngine(table_of(model))
        engine.start()
        started.append(engine)
        return engine

    yield begin
    for engine in started:
        assert await engine.close(5.0)


Start = Callable[[Any], InferenceEngine]


async def test_batches_run_in_the_order_submitted_on_one_thread_that_is_not_the_loops(start: Start) -> None:
    seen: list[int] = []
    threads: set[int] = set()

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        seen.extend(inputs["x"].tolist())
        threads.add(threading.get_ident())
        return doubled(inputs)

    engine = start(run)
    futures = [engine.submit(batch_of(number)) for number in range(50)]
    ended: list[int] = []
    for future in futures:
        future.add_done_callback(lambda done: ended.append(futures.index(done)))
    inferences = await asyncio.gather(*futures)
    assert seen == ended == list(range(50))
    assert [inference.outputs["y"].tolist() for inference in inferences] == [[2 * number] for number in range(50)]
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


async def test_the_chunks_of_a_batch_run_as_one(start: Start) -> None:
    one, other = batch_of(1, 2), batch_of(3)
    inference = await start(doubled).submit(Batch(one.key, one.chunks + other.chunks, 3))
    assert inference.outputs["y"].tolist() == [2, 4, 6]
    assert inference.error is None
    assert inference.model is not None
    assert (inference.model.name, inference.model.version) == ("m", "1")


@pytest.mark.parametrize(
    "raised",
    [
        ModelError("no"),
        ValueError("secret"),
        MemoryError(),
        RecursionError(),
        SystemExit(3),
        KeyboardInterrupt(),
        BaseException(),
    ],
    ids=lambda raised: type(raised).__name__,
)
async def test_whatever_a_model_raises_is_an_error_and_not_the_end_of_the_thread(
    start: Start, raised: BaseException
) -> None:
    def run(inputs: Tensors) -> Any:
        if inputs["x"][0] == 13:
            raise raised
        return doubled(dict(inputs))

    engine = start(Bare(run))
    failed, good = engine.submit(batch_of(13)), engine.submit(batch_of(1))
    async with asyncio.timeout(5):
        inference = await failed
        assert isinstance(inference.error, ModelError)
        assert inference.outputs == {}
        assert "secret" not in str(inference.error)
        assert (await good).outputs["y"].tolist() == [2]


@pytest.mark.parametrize(
    "returned", [None, [], {"y": np.zeros(3, np.int64)}, {"y": np.int64(1)}, {"y": [2]}, {"y": np.zeros((), np.int64)}]
)
async def test_outputs_that_do_not_fit_the_batch_are_an_error(start: Start, returned: Any) -> None:
    inference = await start(Bare(lambda _: returned)).submit(batch_of(1))
    assert isinstance(inference.error, ModelError)


async def test_an_unknown_model_or_version_is_the_requests_error(start: Start) -> None:
    engine = start(doubled)
    for batch, code in (
        (batch_of(1, model="other"), ErrorCode.UNKNOWN_MODEL),
        (batch_of(1, version="2"), ErrorCode.VERSION_GONE),
    ):
        inference = await engine.submit(batch)
        assert isinstance(inference.error, RequestError)
        assert inference.error.code is code
        assert inference.model is None


async def test_a_batch_without_rows_runs_no_model(start: Start) -> None:
    def run(_: Tensors) -> Any:
        raise AssertionError("must not run")

    inference = await start(Bare(run)).submit(Batch(BatchKey("nobody"), [batch_of().chunks[0]], 0))
    assert (inference.model, inference.error, inference.outputs, inference.ran_s) == (None, None, {}, 0.0)


async def test_a_switch_takes_effect_with_the_next_batch_and_the_old_version_ends_after_its_last() -> None:
    gate = Gate()
    models = table_of(gate)
    engine = InferenceEngine(models)
    engine.start()
    running, waiting = engine.submit(batch_of(1)), engine.submit(batch_of(2))
    await asyncio.to_thread(gate.entered.wait, 5)
    closed: list[str] = []
    old = models.remove("m", "1")
    models.add(CallableModel("m", "2", doubled, SIGNATURE, on_close=lambda: closed.append("2")))
    retired, after = engine.retire(old), engine.submit(batch_of(3))
    assert not retired.done()
    gate.open.set()
    inferences = await asyncio.gather(running, waiting, after)
    assert [inference.model.version for inference in inferences if inference.model] == ["1", "1", "2"]
    await asyncio.wait_for(retired, 5)
    assert closed == [], "the one that serves goes on"
    with pytest.raises(ModelError):
        old.run({"x": np.zeros(1, np.int64)})
    assert await engine.close(5.0)


async def test_parts_of_a_failed_batch_run_on_its_version_though_that_has_left() -> None:
    def run(inputs: dict[str, Any]) -> Mapping[str, Any]:
        if (inputs["x"] == 13).any():
            raise ValueError("unlucky")
        return doubled(inputs)

    models = table_of(run)
    engine = InferenceEngine(models)
    engine.start()
    whole = engine.submit(batch_of(13, 1))
    old = models.replace(EvictedModel("m", "1", SIGNATURE))
    retired = engine.retire(old)
    failed = await whole
    half = engine.submit(batch_of(1), failed.model)
    engine.release(whole)
    inference = await half
    assert (inference.model, inference.error) == (old, None)
    await asyncio.wait_for(retired, 5)
    assert await engine.close(5.0)


async def test_what_is_in_force_is_what_was_when_the_batch_was_handed_over() -> None:
    models = table_of(doubled)
    engine = InferenceEngine(models)
    engine.start()
    before = engine.submit(batch_of(1))
    models.epoch = 7
    models.divide("m", all_to("1"), refuses_not_finite=True)
    after = engine.submit(batch_of(2))
    assert [(each.epoch, each.finite_only) for each in (await before, await after)] == [(-1, False), (7, True)]
    assert await engine.close(5.0)


@pytest.mark.parametrize(
    ("read_for", "runs"),
    [(SIGNATURE, True), (replace(SIGNATURE, max_rows=5), True), (replace(SIGNATURE, inputs=()), False)],
)
async def test_rows_read_by_another_signature_run_only_where_they_suit(read_for: Signature, runs: bool) -> None:
    models = table_of(doubled)
    engine = InferenceEngine(models)
    engine.start()
    batch = batch_of(1)
    batch.key = batch.key._replace(signature=read_for)
    inference = await engine.submit(batch)
    assert (inference.error is None) == runs
    assert runs or (isinstance(inference.error, RequestError) and inference.error.code is ErrorCode.BAD_INPUT)
    assert await engine.close(5.0)


async def test_close_ends_what_was_submitted_first() -> None:
    gate = Gate()
    engine = InferenceEngine(table_of(gate))
    engine.start()
    futures = [engine.submit(batch_of(number)) for number in range(3)]
    closing = asyncio.create_task(engine.close(5.0))
    gate.open.set()
    assert await closing
    assert [(await future).outputs["y"].tolist() for future in futures] == [[0], [2], [4]]


async def test_close_does_not_wait_beyond_its_deadline() -> None:
    gate = Gate()
    engine = InferenceEngine(table_of(gate))
    engine.start()
    future = engine.submit(batch_of(1))
    await asyncio.to_thread(gate.entered.wait, 5)
    assert not await engine.close(0.02)
    gate.open.set()
    await future
    assert await engine.close(5.0)


async def test_an_engine_that_never_started_is_closed() -> None:
    assert await InferenceEngine(ModelTable()).close(0.0)


async def test_a_caller_that_gave_up_disturbs_nobody(start: Start) -> None:
    gate = Gate()
    engine = start(gate)
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    given_up, wanted = engine.submit(batch_of(1)), engine.submit(batch_of(2))
    given_up.cancel()
    gate.open.set()
    assert (await wanted).outputs["y"].tolist() == [4]
    loop.set_exception_handler(None)
    assert complaints == []


def test_an_event_loop_that_is_gone_does_not_end_the_thread() -> None:
    gate = Gate()
    engine = InferenceEngine(table_of(gate))
    engine.start()

    async def leave() -> None:
        engine.submit(batch_of(1))

    asyncio.run(leave())
    gate.open.set()

    async def come_back() -> list[int]:
        inference = await engine.submit(batch_of(2))
        assert await engine.close(5.0)
        return list(inference.outputs["y"].tolist())

    assert asyncio.run(come_back()) == [4]


class Steady(Bare):
    """A model whose time depends on its shapes, and that remembers on which threads it ran."""

    def __init__(self, function: Callable[[Tensors], Any] = lambda inputs: {"y": inputs["x"] * 2}) -> None:
        super().__init__(function)
        self.threads: list[int] = []

    @property
    def steady(self) -> bool:
        return True

    def run(self, inputs: Tensors) -> Any:
        self.threads.append(threading.get_ident())
        return super().run(inputs)


async def test_a_steady_model_that_has_proved_quick_runs_a_few_rows_without_a_hand_over(start: Start) -> None:
    model, here = Steady(), threading.get_ident()
    engine = start(model)
    for number in range(200):
        inference = await engine.submit(batch_of(number))
        assert inference.outputs["y"].tolist() == [2 * number]
    assert model.threads[0] != here
    assert model.threads[-1] == here
    await engine.submit(batch_of(*range(100)))
    assert model.threads[-1] != here, "many rows are for the engine's thread"


async def test_one_slow_run_sends_a_model_back_to_the_engines_thread(start: Start) -> None:
    slow = threading.Event()

    def sometimes_slow(inputs: Tensors) -> dict[str, Any]:
        if slow.is_set():
            threading.Event().wait(0.02)
        return {"y": inputs["x"] * 2}

    model, here = Steady(sometimes_slow), threading.get_ident()
    engine = start(model)
    while not model.threads or model.threads[-1] != here:
        await engine.submit(batch_of(1))
    slow.set()
    await engine.submit(batch_of(1))
    assert model.threads[-1] == here, "nobody could know before"
    await engine.submit(batch_of(1))
    assert model.threads[-1] != here


async def test_a_quick_batch_does_not_overtake_one_that_was_handed_over(start: Start) -> None:
    gate, ended = Gate(), list[int]()

    def run(inputs: Tensors) -> Any:
        return gate(dict(inputs)) if len(inputs["x"]) > 50 else doubled(dict(inputs))

    model = Steady(run)
    engine = start(model)
    while not model.threads or model.threads[-1] != threading.get_ident():
        await engine.submit(batch_of(1))
    futures = [engine.submit(batch_of(*range(100))), engine.submit(batch_of(1))]
    for future in futures:
        future.add_done_callback(lambda done: ended.append(futures.index(done)))
    gate.open.set()
    await asyncio.gather(*futures)
    assert ended == [0, 1]


async def test_a_model_of_unknown_pace_never_runs_on_the_loops_thread(start: Start) -> None:
    threads: set[int] = set()

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        threads.add(threading.get_ident())
        return doubled(inputs)

    engine = start(run)
    for number in range(100):
        await engine.submit(batch_of(number))
    assert threading.get_ident() not in threads


async def test_what_expires_while_it_waits_behind_a_slow_batch_is_not_run(start: Start) -> None:
    gate, seen = Gate(), list[list[int]]()

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        seen.append(inputs["x"].tolist())
        return gate(inputs)

    engine = start(run)
    first, waiting = engine.submit(batch_of(1)), batch_of(2, 3, 4)
    await asyncio.to_thread(gate.entered.wait, 5)
    hurried = waiting.chunks[0].requests[1]
    hurried.deadline = waiting.chunks[0].deadline = time.monotonic()
    second = engine.submit(waiting)
    gate.open.set()
    await first
    inference = await second
    assert seen == [[1], [2, 4]]
    assert inference.outputs["y"].tolist() == [4, 8]
    assert (hurried.rows, waiting.rows) == (0, 2)


async def test_a_witness_hears_of_the_end_on_the_loops_thread_for_each_begin() -> None:
    heard: list[tuple[str, bool]] = []
    here = threading.get_ident()

    class Listener:
        def begins(self, batch: Batch[Any]) -> None:
            heard.append((f"begins {batch.rows}", threading.get_ident() == here))

        def ends(self, batch: Batch[Any]) -> None:
            heard.append(("ends", threading.get_ident() == here))

    engine = InferenceEngine(table_of(doubled), Listener())
    engine.start()
    await engine.submit(batch_of(1, 2))
    await engine.submit(batch_of(1, model="other"))  # of which nothing runs, and that at once
    assert heard == [("begins 2", False), ("ends", True), ("begins 1", True), ("ends", True)]
    assert await engine.close(5.0)


async def test_a_model_that_is_down_is_named_until_it_runs_again() -> None:
    down = True

    def run(inputs: Tensors) -> Any:
        if down:
            raise ModelDown("m@1 is down")
        return doubled(dict(inputs))

    engine = InferenceEngine(table_of(Bare(run)))
    engine.start()
    said = [engine.down]
    for down in (True, False):  # noqa: B007  # what `run` reads
        await engine.submit(batch_of(1))
        said.append(engine.down)
    assert said == [None, "m@1 is down", None]
    assert await engine.close(5.0)
