"""Shadows: what they are offered, when they run, and when they end. Their answers are in test_shadow_answers.py.

Nothing here needs Kafka; what reaches it is in tests/integration/test_shadowing.py.
"""

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from penstock.consumer.control.shadow_runner import ShadowBounds, ShadowTarget
from penstock.core.model import Signature, TensorSpec
from tests.support.shadows import (
    SIGNATURE,
    Collected,
    Gate,
    batch_of,
    collecting,
    ended,
    labelled,
    model,
    offer,
)
from tests.support.waiting import until


@pytest.fixture
async def collected() -> AsyncIterator[Collected]:
    async with collecting() as made:
        yield made


async def test_what_does_not_fit_is_dropped_and_counted_and_the_rest_runs(collected: Collected) -> None:
    gate = Gate()
    runner = collected.start(model("2", gate))
    offer(runner, *(batch_of(1, 2, 3) for _ in range(5)))
    assert collected.value("dropped_total", reason="busy") == 9  # two batches of three rows fit into eight
    gate.open.set()
    await ended(runner)
    assert gate.runs == 2
    assert collected.value("requests_total", outcome="ok") == 6


async def test_a_batch_larger_than_the_bound_runs_when_nothing_else_does(collected: Collected) -> None:
    runner = collected.start(model("2"), bounds=ShadowBounds(1, 1, 10_000))
    offer(runner, batch_of(1, 2, 3))
    await ended(runner)
    assert len(collected.read()) == 3


async def test_room_comes_back_when_a_run_has_ended(collected: Collected) -> None:
    runner = collected.start(model("2"), bounds=ShadowBounds(1, 1, 10_000))
    for _ in range(3):
        collected.answers.clear()
        offer(runner, batch_of(1))
        await until(lambda: collected.answers)
    assert collected.value("dropped_total", reason="busy") == 0


async def test_a_shadow_with_other_inputs_is_never_run_and_said_once(collected: Collected) -> None:
    gate = Gate()
    runner = collected.start(model("2", gate, Signature((TensorSpec("z", "FP32", (1,)),), SIGNATURE.outputs)))
    offer(runner, batch_of(1), batch_of(2), batch_of(3))
    await ended(runner)
    assert gate.runs == 0
    assert collected.value("requests_total", outcome="unfit") == 1
    assert collected.answers == []


async def test_the_version_that_answered_is_not_asked_again(collected: Collected) -> None:
    gate = Gate()
    runner = collected.start(model("1", gate))
    offer(runner, batch_of(1))
    await ended(runner)
    assert gate.runs == 0


async def test_a_model_is_closed_after_its_last_run_and_what_waits_is_dropped(collected: Collected) -> None:
    gate, events = Gate(), list[str]()

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = gate(inputs)
        events.append("ran")
        return outputs

    runner = collected.start(model("2", run, on_close=lambda: events.append("closed")))
    offer(runner, batch_of(1), batch_of(2))
    assert await asyncio.to_thread(gate.entered.wait, 10)
    runner.end()
    assert not runner.closed.done()
    gate.open.set()
    await asyncio.wait_for(runner.closed, 10)
    assert events == ["ran", "closed"]
    assert collected.value("dropped_total", reason="stopped") == 1


async def test_share_and_topic_change_without_a_break(collected: Collected) -> None:
    shadow = model("2")
    runner = collected.start(shadow)
    batch = batch_of(1)
    offer(runner, batch)
    await until(lambda: collected.answers)
    runner.change(ShadowTarget(shadow), "elsewhere")
    offer(runner, batch)
    await ended(runner)
    assert [answer.route for answer in collected.answers] == [("shadows", 3), ("elsewhere", 3)]


async def test_a_shadow_that_waits_keeps_no_batch_alive(collected: Collected) -> None:
    runner = collected.start(model("2"))
    batch = batch_of(1)
    rows = weakref.ref(batch.stack()["x"])
    offer(runner, batch)
    await until(lambda: collected.answers)
    collected.answers.clear()
    del batch
    await until(lambda: rows() is None)  # the thread lets go just after it has answered


@pytest.mark.skipif(sys.platform != "linux", reason="only there a thread has a priority of its own")
async def test_the_thread_of_a_shadow_is_nicer_than_the_others(collected: Collected) -> None:
    priorities: list[int] = []

    def noting(inputs: dict[str, Any]) -> dict[str, Any]:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return labelled(inputs)

    runner = collected.start(model("2", noting))
    offer(runner, batch_of(1))
    await ended(runner)
    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert priorities == [min(usual + 5, 19)]
