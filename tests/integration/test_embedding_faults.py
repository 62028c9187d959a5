"""A worker inside somebody's own asyncio program, and what goes wrong with it."""

import asyncio
import sys
import time
from collections.abc import Iterator

import pytest
import structlog

from penstock import ConfigurationError, ModelError, TransportError, Worker
from tests.support.embedding import DOUBLER, THREE, double, on, own_tasks
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """structlog as it comes, whatever other tests have done with it."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_every_fault_of_the_settings_is_told_at_once():
    with pytest.raises(ConfigurationError) as refused:
        Worker(DOUBLER, "nowhere", request_topics=["a b"], batching__max_rows=0, batchng__max_rows=3)
    faults = str(refused.value).splitlines()

    assert len(faults) == 5
    for said in (
        "group_id: required",
        "did you mean batching.max_rows?",
        "'a b' is no topic name",
        "nowhere",
        "equal to 1",
    ):
        assert sum(said in fault for fault in faults) == 1, said
    assert "PENSTOCK_" not in str(refused.value)  # here, variables are not the way to set anything
    with pytest.raises(ConfigurationError, match=r"worker\.processes is 2, but a worker inside a program is one"):
        Worker(DOUBLER, group_id="g", worker__processes=2)


@pytest.mark.parametrize(
    ("models", "overrides", "error", "says"),
    [
        ({"doubler": double}, {}, ConfigurationError, "a function does not say what it takes and gives"),
        ({"doubler": (lambda inputs: 1 / 0, THREE)}, {}, ModelError, "doubler@1 raised ZeroDivisionError"),
        ({"doubler": (lambda inputs: sys.exit(3), THREE)}, {}, ModelError, "SystemExit"),
        (DOUBLER, {"models__default": "iris"}, ConfigurationError, "no model 'iris' in those given; there is: doubler"),
        (DOUBLER, {"models__load": "iris"}, ConfigurationError, "no model 'iris' among those given: doubler"),
        ({}, {}, ConfigurationError, "no models were given"),
        (None, {}, ConfigurationError, "models.repository: required"),
        ("no-such-folder", {}, ConfigurationError, "no-such-folder does not exist"),
        (DOUBLER, {"worker__session_timeout_s": 2}, TransportError, "InvalidSessionTimeout"),
    ],
)
async def test_what_is_wrong_is_raised_at_the_start(lane, models, overrides, error, says):
    with pytest.raises(error, match=says):
        await Worker(models, **on(lane), **overrides).start()
    assert await own_tasks() == []


async def test_a_broker_that_is_not_there_is_told_at_the_start():
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:1\b"):
        await Worker(DOUBLER, "127.0.0.1:1", group_id="g").start()


async def test_a_start_that_takes_too_long_says_what_it_waited_for(lane):
    def slowly(inputs):
        time.sleep(1.0)
        return {"y": inputs["x"]}

    with pytest.raises(TransportError, match=r"does not serve after 0\.2 s: models are loading"):
        await Worker({"slow": (slowly, THREE)}, **on(lane), start_timeout_s=0.2).start()
    assert await own_tasks() == []


def break_down(worker: Worker) -> None:
    """Leave it as a rebalance does that cannot be carried out, which no broker can be made to bring about."""
    pipeline = worker._service.pipeline
    assert pipeline is not None
    pipeline._assignment.failure = TransportError("opening partitions failed")


async def test_a_failure_is_raised_to_whoever_waits_and_logged_for_whoever_does_not(lane, caplog):
    worker = Worker(DOUBLER, **on(lane))
    await worker.start()
    break_down(worker)

    with pytest.raises(TransportError, match="opening partitions failed"):
        await asyncio.wait_for(worker.wait(), 10)

    assert worker.not_ready == "the worker has ended"
    assert [record.message for record in caplog.records if record.name == "penstock.consumer.worker"] == [
        "the worker failed (error=opening partitions failed)"
    ]
    assert await own_tasks() == []


async def test_leaving_the_block_raises_the_failure(lane):
    async def program() -> None:
        async with Worker(DOUBLER, **on(lane)) as worker:
            break_down(worker)
            await until(lambda: worker.not_ready == "the worker has ended")

    with pytest.raises(TransportError, match="opening partitions failed"):
        await program()


async def test_the_programs_own_error_is_the_one_to_hear_of(lane):
    async def program() -> None:
        async with Worker(DOUBLER, **on(lane)) as worker:
            break_down(worker)
            await until(lambda: worker.not_ready == "the worker has ended")
            raise KeyError("the program's")

    with pytest.raises(KeyError, match="the program's"):
        await program()


async def test_it_starts_once_and_stops_as_often_as_it_is_told(lane):
    worker = Worker(DOUBLER, **on(lane))
    with pytest.raises(RuntimeError, match="was not started"):
        await worker.wait()
    await worker.stop()
    await worker.start()
    with pytest.raises(RuntimeError, match="started once"):
        await worker.start()
    await asyncio.gather(worker.stop(), worker.stop(), worker.wait())
