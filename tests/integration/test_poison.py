"""Requests that kill whatever runs them: they are found, answered and put aside, and their neighbours are answered."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.lane import Lane
from tests.support.messages import by_source, data_of, disorder, error_of, headers_of, infer
from tests.support.worker_process import WorkerProcess

FRAGILE = """
import os
import signal
import time

from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (2,)),), outputs=(TensorSpec("y", "FP32", (2,)),))


def predict(inputs):
    kinds = set(inputs["x"][:, 1].tolist())
    if 11 in kinds:
        os.kill(os.getpid(), signal.SIGSEGV)
    if 12 in kinds:
        os._exit(3)
    if 13 in kinds:
        time.sleep(3600)
    return {"y": inputs["x"] * 2}
"""
SEGFAULT, EXIT, HANG = 11, 12, 13


@pytest.fixture
def fragile(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "fragile" / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(FRAGILE)
    return tmp_path / "models"


async def _sent(lane: Lane, kinds: dict[int, int], count: int) -> dict[str, int]:
    """Send so many requests to one partition; the kind of some makes them deadly. Returns number by source."""
    records = [(3, b"k%d" % (number % 4), infer([number, kinds.get(number, 0)]), ()) for number in range(count)]
    return {f"{each.topic}/3/{each.offset}": number for number, each in enumerate(await lane.send(records))}


async def _assert_settled(lane: Lane, sent: dict[str, int], deadly: set[int]) -> None:
    """All but the deadly are answered, in order; those have an error reply and a dead letter; all are committed."""
    replies = await lane.read(enough=lambda found: by_source(found).keys() >= sent.keys(), within_s=60)
    answers = {sent[source]: found for source, found in by_source(replies).items()}
    good = {number: data_of(found[0]) for number, found in answers.items() if number not in deadly}
    assert good == {number: [2.0 * number, 0.0] for number in sent.values() if number not in deadly}
    assert {error_of(reply) for number in deadly for reply in answers[number]} == {"POISON"}
    assert disorder(replies) == []
    await lane.wait_until_committed()
    letters = await lane.read(lane.dead_letters, enough=len(deadly), partitions=1)
    assert {sent[source] for source in by_source(letters)} == deadly
    assert {headers_of(letter)["penstock-reason"] for letter in letters} == {b"POISON"}
    assert all(letter.value for letter in letters)


async def test_a_model_in_a_process_of_its_own_dies_of_a_request_and_the_worker_does_not(
    lane: Lane, worker_process: Any, fragile: Path
) -> None:
    deadly = {5: SEGFAULT, 20: EXIT, 21: HANG}
    sent = await _sent(lane, deadly, 40)
    settings = {"models__isolation": "process", "models__run_timeout_s": 1}
    process: WorkerProcess = worker_process("fragile", models__repository=fragile, **settings)
    await process.start()
    await process.ready()

    await _assert_settled(lane, sent, set(deadly))

    assert process.running
    assert len(await lane.read(enough=len(sent))) == len(sent), "nothing was answered twice: the worker lived on"
    reasons = [line["why"] for line in process.logged("model process died")]
    for reason in ("died of SIGSEGV", "ended with status 3", "gave no answer in 1 s"):
        assert sum(reason in why for why in reasons) >= 2, reasons
    assert "Traceback" not in process.text()


async def test_a_request_that_kills_workers_kills_three_and_is_put_aside(
    lane: Lane, worker_process: Any, fragile: Path
) -> None:
    sent = await _sent(lane, {5: SEGFAULT}, 12)
    process: WorkerProcess = worker_process("fragile", models__repository=fragile, worker__processes=2)
    await process.start()

    await _assert_settled(lane, sent, {5})

    deaths = process.logged("worker process died")
    assert [line["status"] for line in deaths] == [-11] * 3, "once in company, twice alone"
    told = [line["between"] for line in process.logged("requests that ran in a dead process")]
    assert told[1:] == [[f"{lane.requests}/3/5-5"]] * 2
    assert process.running
