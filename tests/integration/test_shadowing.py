"""Shadows behind a real worker on a real Kafka: what they answer, and that the live answers do not know of them."""

import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
import pytest

from penstock import CallableModel
from penstock.consumer.control.shadowing import ShadowBounds, Shadowing, ShadowTarget
from penstock.transport.topics import TopicDirectory, create_topics
from tests.support.embedding import THREE
from tests.support.lane import PARTITIONS, Lane
from tests.support.messages import by_source, data_of, disorder, error_of, headers_of, infer, source_of
from tests.support.waiting import until
from tests.support.worker_inside import InsideWorker

Function = Callable[[dict[str, Any]], dict[str, Any]]
REQUESTS = 400


def doubled(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"y": inputs["x"] * np.float32(2)}


def shadow(function: Function = doubled, version: str = "2", **more: Any) -> CallableModel:
    return CallableModel("doubler", version, function, THREE, **more)


@asynccontextmanager
async def shadowing(
    lane: Lane, worker: InsideWorker, *shadows: ShadowTarget, bounds: ShadowBounds | None = None
) -> AsyncIterator[Shadowing]:
    """Have a worker's batches offered to shadows, once it is known where their answers go."""
    options = {"bootstrap_servers": lane.bootstrap}
    directory = TopicDirectory(options)
    await directory.start()
    made = Shadowing(options, directory, worker.metrics, topic=f"{lane.replies}-shadow", bounds=bounds)
    worker.worker._inferring._on_answered = made.offer
    made.apply({"doubler": shadows})
    topics = {each.topic or f"{lane.replies}-shadow" for each in shadows}
    await until(lambda: all(map(made._replies.was_tried, topics)), what="the topics of the shadows")
    try:
        yield made
    finally:
        await made.close()
        await directory.close()


async def ask(lane: Lane, count: int = REQUESTS, *, start: int = 0) -> None:
    """Send requests to all partitions."""
    numbers = range(start, start + count)
    await lane.send((at % PARTITIONS, b"k%d" % at, infer([at, 0, 0], request_id=f"i{at}"), ()) for at in numbers)


async def shadow_answers(lane: Lane, count: int, topic: str | None = None) -> list[Any]:
    topic = topic or f"{lane.replies}-shadow"
    directory = TopicDirectory({"bootstrap_servers": lane.bootstrap})
    await directory.start()
    try:
        partitions = directory.partitions(topic)
    finally:
        await directory.close()
    return await lane.read(topic, enough=count, partitions=partitions)


async def test_a_shadow_answers_what_was_answered_on_a_topic_that_is_made_for_it(lane, inside_worker):
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(shadow())):
        await ask(lane)
        replies = await lane.read(enough=REQUESTS)
        copies = await shadow_answers(lane, REQUESTS)
        await lane.wait_until_committed()

    assert len(replies) == len(copies) == REQUESTS
    live = {source_of(reply): reply for reply in replies}
    for copy in copies:
        reply, headers = live[source_of(copy)], headers_of(copy)
        assert (copy.key, data_of(copy)) == (reply.key, data_of(reply))
        assert orjson.loads(copy.value)["id"] == orjson.loads(reply.value)["id"]
        assert headers == {**headers_of(reply), "penstock-model": b"doubler@2", "penstock-live": b"doubler@1"}
    assert worker.value("penstock_shadow_requests_total") == REQUESTS
    assert worker.value("penstock_shadow_dropped_total") == 0
    assert worker.value("penstock_shadow_difference_sum") == 0


async def test_while_a_shadow_hangs_every_request_is_answered_and_committed(lane, inside_worker):
    events: list[str] = []
    entered, opened = threading.Event(), threading.Event()

    def hanging(inputs: dict[str, Any]) -> dict[str, Any]:
        entered.set()
        assert opened.wait(60)
        events.append("shadow ran")
        return doubled(inputs)

    model = shadow(hanging, on_close=lambda: events.append("shadow closed"))
    bounds = ShadowBounds(max_rows=100)
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(model), bounds=bounds) as shadows:
        await ask(lane)
        assert len(await lane.read(enough=REQUESTS)) == REQUESTS
        assert entered.is_set()
        await ask(lane, start=REQUESTS)
        assert len(await lane.read(enough=2 * REQUESTS)) == 2 * REQUESTS
        await lane.wait_until_committed()
        events.append("all committed")
        assert worker.value("penstock_shadow_dropped_total") >= REQUESTS  # the bound is a hundred
        shadows.apply({})
        assert events == ["all committed"]  # it still hangs, and was not closed under the run
        opened.set()
        await until(lambda: "shadow closed" in events)

    assert events == ["all committed", "shadow ran", "shadow closed"]
    outcomes = worker.value("penstock_shadow_requests_total") + worker.value("penstock_shadow_dropped_total")
    assert outcomes == 2 * REQUESTS


async def test_a_shadow_that_sleeps_and_fails_at_random_leaves_the_live_answers_alone(lane, inside_worker):
    chance, naps, fallen = random.Random(7), threading.Event(), Counter[str]()

    def moody(inputs: dict[str, Any]) -> dict[str, Any]:
        naps.wait(chance.random() * 0.02)  # nobody sets it
        mood = chance.choice(["well", "raise", "exit", "short"])
        fallen[mood] += 1
        if mood == "raise":
            raise ValueError(inputs)
        if mood == "exit":
            raise SystemExit(1)
        return {"y": inputs["x"][1:] * 2} if mood == "short" else doubled(inputs)

    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(shadow(moody))):
        for start in range(0, REQUESTS, 20):  # many batches
            await ask(lane, 20, start=start)
            replies = await lane.read(enough=start + 20)
        copies = await shadow_answers(lane, REQUESTS)
        await lane.wait_until_committed()

    assert all(data_of(reply)[0] % 2 == 0 for reply in replies)
    assert len(by_source(replies)) == len(by_source(copies)) == len(copies) == REQUESTS
    failed = [copy for copy in copies if "penstock-error" in headers_of(copy)]
    assert {error_of(copy) for copy in failed} == {"MODEL_FAILED"}
    assert all(headers_of(copy)["penstock-model"] == b"doubler@2" for copy in failed)
    assert 0 < len(failed) < REQUESTS
    assert len(fallen) == 4


async def test_what_the_live_version_fails_on_is_not_copied(lane, inside_worker):
    seen: list[float] = []

    def noting(inputs: dict[str, Any]) -> dict[str, Any]:
        seen.extend(inputs["x"][:, 0].tolist())
        return doubled(inputs)

    rows = [infer([at, 666 if at % 10 == 3 else 0, 0]) for at in range(40)]
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(shadow(noting))):
        await lane.send((0, None, row, ()) for row in [*rows, b"no request"])
        replies = await lane.read(enough=41)
        await shadow_answers(lane, 36)

    assert Counter(headers_of(reply).get("penstock-error") for reply in replies) == {
        None: 36,
        b"MODEL_FAILED": 4,
        b"BAD_ENCODING": 1,
    }
    assert sorted(seen) == [at for at in range(40) if at % 10 != 3]


async def test_two_shadows_with_topics_of_their_own_do_not_wait_for_each_other(lane, inside_worker):
    opened = threading.Event()

    def hanging(inputs: dict[str, Any]) -> dict[str, Any]:
        assert opened.wait(60)
        return doubled(inputs)

    one = ShadowTarget(shadow(hanging, "2"), topic=await lane.create(f"{lane.replies}-two"))
    other = ShadowTarget(shadow(version="3"), share=0.5, topic=f"{lane.replies}-three")
    async with inside_worker() as worker, shadowing(lane, worker, one, other):
        await ask(lane)
        await lane.read(enough=REQUESTS)
        await until(lambda: worker.value("penstock_shadow_requests_total") > 0)
        copies = await shadow_answers(lane, REQUESTS // 4, other.topic)
        assert {headers_of(copy)["penstock-model"] for copy in copies} == {b"doubler@3"}
        assert len(copies) < REQUESTS * 3 // 4
        opened.set()
        copies = await shadow_answers(lane, REQUESTS, one.topic)
        assert len(copies) == REQUESTS
        assert all(int(source_of(copy).split("/")[1]) == copy.partition for copy in copies)
        assert disorder(copies) == []


@pytest.mark.parametrize("topic", ["not a topic", "small"])
async def test_what_kafka_does_not_take_is_dropped_and_the_comparison_goes_on(lane, inside_worker, topic):
    if topic == "small":
        topic = f"{lane.replies}-small"
        options = {"bootstrap_servers": lane.bootstrap}
        await create_topics(options, {topic: 1}, configs={"max.message.bytes": "100"}, replication_factor=1)
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(shadow(), topic=topic)):
        await ask(lane, 5)
        assert len(await lane.read(enough=5)) == 5
        await lane.wait_until_committed()
        await until(lambda: worker.value("penstock_shadow_dropped_total") == 5)

    assert worker.value("penstock_shadow_requests_total") == 5
    assert worker.value("penstock_shadow_difference_count") > 0


async def test_a_model_that_breaks_its_contract_as_a_shadow_stops_no_answer(lane, inside_worker):
    class Broken(CallableModel):
        @property
        def signature(self) -> Any:
            raise RuntimeError

    broken = Broken("doubler", "2", doubled, THREE)
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(broken), ShadowTarget(shadow())):
        await ask(lane)
        assert len(await lane.read(enough=REQUESTS)) == REQUESTS
        await lane.wait_until_committed()


async def test_answers_that_kafka_has_not_taken_are_bounded(lane, inside_worker):
    bounds = ShadowBounds(max_bytes=1)
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(shadow()), bounds=bounds):
        await ask(lane)
        await lane.read(enough=REQUESTS)
        figures = "penstock_shadow_requests_total", "penstock_shadow_dropped_total"
        await until(lambda: sum(map(worker.value, figures)) >= REQUESTS)

    # Those that did not run, and those of which no answer was published.
    dropped = worker.value("penstock_shadow_dropped_total")
    assert 0 < dropped < REQUESTS
    assert len(await shadow_answers(lane, 1)) == REQUESTS - dropped


async def test_the_worker_ends_although_a_shadow_hangs(lane, inside_worker):
    opened = threading.Event()
    closed = threading.Event()

    def hanging(inputs: dict[str, Any]) -> dict[str, Any]:
        assert opened.wait(60)
        return doubled(inputs)

    model = shadow(hanging, on_close=closed.set)
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(model)) as shadows:
        await ask(lane, 40)
        await lane.read(enough=40)
        assert await shadows.close(timeout_s=0.2) is False
        assert not closed.is_set()
        await worker.stop()
    opened.set()
    assert closed.wait(10)


async def test_a_shadow_is_replaced_while_it_runs_and_its_successor_begins_at_once(lane, inside_worker):
    entered, opened = threading.Event(), threading.Event()

    def hanging(inputs: dict[str, Any]) -> dict[str, Any]:
        entered.set()
        assert opened.wait(60)
        return doubled(inputs)

    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(shadow(hanging))) as shadows:
        await ask(lane, 40)
        await lane.read(enough=40)
        await until(entered.is_set)
        shadows.apply({"doubler": [ShadowTarget(shadow(version="3"))]})
        await ask(lane, 40, start=40)
        copies = await shadow_answers(lane, 40)
        assert {headers_of(copy)["penstock-model"] for copy in copies} == {b"doubler@3"}
        opened.set()


async def test_a_shadow_that_stays_is_not_started_again_when_its_share_changes(lane, inside_worker):
    closed = threading.Event()
    model = shadow(on_close=closed.set)
    async with inside_worker() as worker, shadowing(lane, worker, ShadowTarget(model)) as shadows:
        await ask(lane, 40)
        assert len(await shadow_answers(lane, 40)) == 40
        shadows.apply({"doubler": [ShadowTarget(model, share=0.5)]})
        await ask(lane, 200, start=40)
        await lane.read(enough=240)
        assert 40 < len(await shadow_answers(lane, 41)) < 200
        assert not closed.is_set()
        assert await shadows.close()
        assert closed.is_set()
