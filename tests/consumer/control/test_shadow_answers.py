"""What a shadow answers: real threads, real decoding, no Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import orjson
import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.control.shadow_answering import takes
from penstock.consumer.control.shadow_copies import Answer, offered
from penstock.consumer.control.shadow_runner import ShadowBounds
from penstock.consumer.pending import PendingRequest
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.core.batch import Batch
from penstock.core.model import Signature, TensorSpec
from tests.support.shadows import (
    SIGNATURE,
    Collected,
    Function,
    X,
    answered,
    batch_of,
    batches_of,
    collecting,
    ended,
    json,
    labelled,
    model,
    offer,
    record,
)


@pytest.fixture
async def collected() -> AsyncIterator[Collected]:
    async with collecting() as made:
        yield made


async def test_an_answer_says_who_gave_it_and_who_answered_the_request(collected: Collected) -> None:
    runner = collected.start(model("2"))
    (batch,) = batches_of(record(7, json(12.0, id="a"), ("kafka_correlationId", b"\xff"), key=b"k"))
    offer(runner, batch)
    await ended(runner)
    ((route, key, value, headers),) = collected.read()
    assert (route, key) == (("shadows", 3), b"k")
    assert orjson.loads(value)["id"] == "a"
    assert orjson.loads(value)["model_version"] == "2"
    assert headers == {
        "kafka_correlationId": b"\xff",
        "penstock-source": b"requests/3/7",
        "penstock-model": b"m@2",
        "penstock-live": b"m@1",
        "penstock-epoch": b"5",
        "content-type": b"application/json",
    }


WANTED = [{"name": "score"}]
KINDS: list[Callable[[int], ConsumerRecord]] = [
    lambda at: record(at, json(at), key=b"k"),
    lambda at: record(at, json(at, id=f"i{at}"), key=b"k%d" % at),
    lambda at: record(at, json(at, 2 * at, 3 * at)),
    lambda at: record(at, json(at, outputs=WANTED), ("penstock-id", b"%d" % at)),
    lambda at: record(at, json(at), ("penstock-id", b"1"), ("kafka_correlationId", b"2")),
    lambda at: record(at, np.float32(at).tobytes(), ("content-type", b"application/octet-stream")),
    lambda at: record(
        at, np.float32(at).tobytes(), ("content-type", b"application/octet-stream"), ("penstock-output", b"score")
    ),
    lambda at: record(at, b"not a request"),
]


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=12), st.sampled_from([1.0, 0.5]))
def test_a_shadow_that_does_the_same_answers_the_same_but_for_requests_that_failed(
    kinds: list[Callable[[int], ConsumerRecord]], share: float
) -> None:
    records = [kind(at) for at, kind in enumerate(kinds)]
    twins = zip(batches_of(*records), batches_of(*records), strict=True)

    async def run() -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        collected, live, before = Collected(), Collected(), list[tuple[Batch[PendingRequest], list[Any]]]()
        runner = collected.start(model("2"), share, ShadowBounds(1000))
        for batch, twin in twins:
            if batch.rows:
                inference = answered(batch)
                before.append((batch, facts_of(batch)))
                runner.offer(offered(batch, inference))
                for route, parcel in ReplyBuilder(10_000).build(twin, inference):
                    records: Any = parcel.records
                    live.answers.append(Answer(route, records, [1] * len(parcel.records)))
        await ended(runner)
        assert all(facts_of(batch) == facts for batch, facts in before)
        assert all(route == ("shadows", 3) for route, *_ in collected.read())
        return by_source(collected), by_source(live)

    copies, replies = asyncio.run(run())
    good = {source: value for source, value in replies.items() if b'"error"' not in value}
    assert all(good[source] == value for source, value in copies.items())
    if share == 1.0:
        assert copies.keys() == good.keys()


def facts_of(batch: Batch[PendingRequest]) -> list[Any]:
    """What the live path goes on to use."""
    facts = ("rows", "held_rows", "error", "route", "echo", "id", "outputs", "weight")
    parts = [(type(chunk.requests), chunk.rows, chunk.inputs["x"].tolist()) for chunk in batch.chunks if chunk.rows]
    return parts + [getattr(each, fact) for chunk in batch.chunks for each in chunk.requests for fact in facts]


def by_source(collected: Collected) -> dict[bytes, bytes]:
    """What was answered, without the version."""
    return {
        headers["penstock-source"]: (value or b"").replace(b'"model_version":"2"', b'"model_version":"1"')
        for _, _, value, headers in collected.read()
    }


async def test_a_share_is_of_keys_and_the_same_keys_each_time(collected: Collected) -> None:
    seen: list[set[bytes]] = []
    for _ in range(2):
        runner = collected.start(model("2"), 0.25, ShadowBounds(10_000))
        for start in range(0, 4000, 400):
            keys = range(start, start + 400)
            (batch,) = batches_of(*(record(at, json(1.0), key=b"k%d" % (at // 2)) for at in keys))
            offer(runner, batch)
        await ended(runner)
        got = [key for _, key, _, _ in collected.read()]
        collected.answers.clear()
        assert all(got.count(key) == 2 for key in set(got))
        seen.append(set(got))
    assert seen[0] == seen[1]
    assert 400 < len(seen[0]) < 600
    assert collected.value("compared_rows_total", verdict="same") == 4 * len(seen[0])


async def test_requests_without_a_key_are_shared_by_where_they_lie(collected: Collected) -> None:
    runner = collected.start(model("2"), 0.5, ShadowBounds(10_000))
    (batch,) = batches_of(*(record(at, json(1.0)) for at in range(400)))
    offer(runner, batch)
    await ended(runner)
    assert 150 < len(collected.read()) < 250


def exiting(_: dict[str, Any]) -> dict[str, Any]:
    raise SystemExit(3)


def refusing(inputs: dict[str, Any]) -> dict[str, Any]:
    raise ValueError(inputs)


def cut_short(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: array[:-1] for name, array in labelled(inputs).items()}


@pytest.mark.parametrize("function", [refusing, exiting, cut_short])
async def test_a_shadow_that_fails_answers_errors_and_runs_the_next_batch(
    collected: Collected, function: Function
) -> None:
    calls: list[int] = []

    def once(inputs: dict[str, Any]) -> dict[str, Any]:
        calls.append(1)
        return function(inputs) if len(calls) == 1 else labelled(inputs)

    runner = collected.start(model("2", once))
    offer(runner, batch_of(1, 2), batch_of(3))
    await ended(runner)
    errors = [headers.get("penstock-error") for _, _, _, headers in collected.read()]
    assert errors == [b"MODEL_FAILED", b"MODEL_FAILED", None]
    _, _, value, headers = collected.read()[0]
    assert orjson.loads(value)["code"] == "MODEL_FAILED"
    assert (headers["penstock-model"], headers["penstock-live"]) == (b"m@2", b"m@1")
    assert collected.value("requests_total", outcome="MODEL_FAILED") == 2
    assert collected.value("requests_total", outcome="ok") == 1


@pytest.mark.parametrize(
    ("inputs", "batched", "fits"),
    [
        ((X,), True, True),
        ((TensorSpec("x", "FP32", (-1,)),), True, True),
        ((TensorSpec("x", "FP32", (2,)),), True, False),
        ((TensorSpec("x", "FP64", (1,)),), True, False),
        ((TensorSpec("z", "FP32", (1,)),), True, False),
        ((X, TensorSpec("z", "FP32", (1,))), True, False),
        ((X,), False, False),
    ],
)
def test_a_shadow_takes_what_was_read_for_inputs_like_its_own(
    inputs: tuple[TensorSpec, ...], batched: bool, fits: bool
) -> None:
    assert takes(Signature(inputs, SIGNATURE.outputs, batched), SIGNATURE) is fits


def test_a_shape_that_may_vary_is_too_much_for_one_that_may_not() -> None:
    free = Signature((TensorSpec("x", "FP32", (-1,)),), SIGNATURE.outputs)
    assert not takes(SIGNATURE, free)


async def test_outputs_may_differ_and_what_the_shadow_has_not_is_an_error(collected: Collected) -> None:
    other = Signature((X,), (TensorSpec("score", "FP32", (1,)),))
    runner = collected.start(model("2", lambda inputs: {"score": inputs["x"]}, other))
    batches = batches_of(record(0, json(1.0)), record(1, json(1.0, outputs=[{"name": "label"}])))
    offer(runner, *batches)
    await ended(runner)
    assert [headers.get("penstock-error") for _, _, _, headers in collected.read()] == [None, b"BAD_INPUT"]
    assert collected.value("compared_rows_total", verdict="same") == 0  # no label to compare


async def test_a_bound_on_the_shadows_batches_is_kept(collected: Collected) -> None:
    sizes: list[int] = []

    def sized(inputs: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(inputs["x"]))
        return labelled(inputs)

    runner = collected.start(model("2", sized, Signature((X,), SIGNATURE.outputs, max_rows=2)))
    offer(runner, batch_of(11, 2, 13, 4, 15))
    await ended(runner)
    assert sizes == [2, 2, 1]
    assert collected.value("compared_rows_total", verdict="same") == 5


async def test_labels_that_differ_are_counted_by_row(collected: Collected) -> None:
    runner = collected.start(model("2", lambda inputs: {**labelled(inputs), "label": np.ones(len(inputs["x"]), int)}))
    offer(runner, batch_of(1, 12, 3))
    await ended(runner)
    assert collected.value("compared_rows_total", verdict="same") == 1
    assert collected.value("compared_rows_total", verdict="different") == 2


async def test_a_shadow_that_writes_to_its_inputs_disturbs_nobody(collected: Collected) -> None:
    def writing(inputs: dict[str, Any]) -> dict[str, Any]:
        inputs["x"] *= -1
        return labelled(inputs)

    one, other = collected.start(model("2", writing)), collected.start(model("3"))
    batch = batch_of(12, 3)
    given = offered(batch, answered(batch))
    one.offer(given)
    await ended(one)
    other.offer(given)
    await ended(other)
    assert batch.stack()["x"].tolist() == [[12], [3]]
    assert collected.value("compared_rows_total", verdict="same", version="3") == 2


async def test_a_model_that_takes_one_request_at_a_time_has_shadows_too(collected: Collected) -> None:
    alone = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("label", "INT64", (-1,)),), batched=False)
    live = model("1", lambda inputs: {"label": labelled(inputs)["label"]}, alone)
    batches = batches_of(record(0, json(1.0, 12.0)), record(1, json(13.0)), live=live)
    runner = collected.start(model("2", lambda inputs: {"label": np.ones(len(inputs["x"]), int)}, alone))
    offer(runner, *batches, live=live)
    await ended(runner)
    assert [orjson.loads(value)["outputs"][0]["data"] for _, _, value, _ in collected.read()] == [[1, 1], [1]]
    assert collected.value("compared_rows_total", verdict="same") == 1
    assert collected.value("compared_rows_total", verdict="different") == 1
