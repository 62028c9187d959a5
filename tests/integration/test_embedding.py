"""A worker inside somebody's own asyncio program: here, the test's."""

import asyncio
import gc
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import structlog
from prometheus_client import generate_latest

from penstock import CallableModel, ConfigurationError, ServiceError, Worker, load_settings
from tests.support.command import environment
from tests.support.embedding import DOUBLER, THREE, client, metric, on, own_tasks
from tests.support.messages import by_source
from tests.support.traffic import numbered
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """structlog as it comes, whatever other tests have done with it."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


async def test_a_function_answers_beside_its_caller_in_one_program(lane):
    async with Worker(DOUBLER, **on(lane)) as worker, client(lane) as caller:
        assert worker.not_ready is None
        answers = [
            answer async for answer in caller.predict_many("doubler", ([[n, 0, 0]] for n in map(float, range(200))))
        ]
        with pytest.raises(ServiceError, match="MODEL_FAILED"):
            await caller.predict("doubler", [[-1.0, 0.0, 0.0]])

    assert [answer["y"][0][0] for answer in answers] == [2.0 * number for number in range(200)]
    assert (answers[0].model, answers[0].version) == ("doubler", "1")
    assert worker.not_ready == "the worker has ended"


async def test_a_folder_a_file_an_object_and_a_model_are_served(lane, models):
    class Tripler:
        SIGNATURE = THREE

        def predict(self, inputs):
            return {"y": inputs["x"] * 3}

    given = {
        "cancer": models / "cancer" / "1" / "model.onnx",
        "doubler": str(models / "doubler" / "1" / "model.py"),
        "tripler": Tripler(),
        "quadrupler": CallableModel("quadrupler", "7", lambda inputs: {"y": inputs["x"] * 4}, THREE),
    }
    x = np.ones((2, 3), np.float32)
    async with client(lane) as caller:
        async with Worker(given, **on(lane)):
            factors = [(await caller.predict(name, x))["y"][0][0] for name in ("doubler", "tripler", "quadrupler")]
            label = (await caller.predict("cancer", np.ones((1, 30), np.float32)))["label"]
            version = (await caller.predict("quadrupler", x)).version
        async with Worker(models, **on(lane), models__default="doubler"):
            default = (await caller.predict(None, x))["y"][0][0]

    assert (factors, version, default) == ([2.0, 3.0, 4.0], "7", 2.0)
    assert label.shape == (1,)


async def test_settings_of_a_file_are_taken_whole(lane, models, tmp_path):
    file = tmp_path / "penstock.toml"
    file.write_text(f"""
        [kafka]
        bootstrap_servers = ["{lane.bootstrap}"]
        [worker]
        request_topics = ["{lane.requests}"]
        reply_topic = "{lane.replies}"
        group_id = "{lane.group}"
        [models]
        repository = "{models}"
        default = "doubler"
        [http]
        port = 0
    """)
    settings = load_settings(file, batching__max_rows=16, http__enabled=False)
    async with Worker(settings=settings) as worker, client(lane) as caller:
        assert (await caller.predict(None, [[1.0, 0.0, 0.0]]))["y"][0][0] == 2.0

    assert worker.settings.batching.max_rows == 16
    with pytest.raises(ConfigurationError, match=r"not both; given too: worker\.group_id"):
        Worker(settings=settings, group_id="another")


async def test_at_the_end_what_was_taken_in_is_answered_and_committed(lane):
    gate = threading.Event()
    gate.set()  # for the warm-up

    def gated(inputs: dict[str, Any]) -> dict[str, Any]:
        gate.wait(20)
        return {"y": inputs["x"]}

    async with Worker({"gated": (gated, THREE)}, **on(lane), models__default="gated", batching__max_rows=8) as worker:
        gate.clear()
        await lane.send((number % 8, None, numbered(number), ()) for number in range(40))
        await until(lambda: metric(worker, "penstock_buffered_rows") == 40)
        asyncio.get_running_loop().call_later(0.2, gate.set)

    assert len(by_source(await lane.read(enough=40))) == 40
    assert {number: state.offset for number, state in (await lane.committed()).items()} == dict.fromkeys(range(8), 5)
    assert await own_tasks() == []


async def test_the_program_around_it_is_left_as_it_was(lane, capsys):
    def outside() -> list[Any]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        root = logging.getLogger()
        return [
            *handlers,
            gc.get_freeze_count(),
            gc.get_threshold(),
            root.level,
            [*root.handlers],
            structlog.is_configured(),
        ]

    before = outside()
    async with Worker(DOUBLER, **on(lane)), client(lane) as caller:
        await caller.predict("doubler", [[1.0, 0.0, 0.0]])
        assert outside() == before

    assert outside() == before
    assert capsys.readouterr().out == ""
    assert await until(lambda: not [each for each in threading.enumerate() if each.name.startswith("penstock-")])


async def test_metrics_are_the_programs_to_show_and_the_health_page_is_for_whoever_asks(lane):
    async with Worker(DOUBLER, **on(lane)) as worker, client(lane) as caller:
        await caller.predict("doubler", [[1.0, 0.0, 0.0]])
        assert 'penstock_requests_total{model="doubler",outcome="ok"} 1.0' in generate_latest(worker.registry).decode()
        assert not worker.settings.http.enabled
    async with Worker(DOUBLER, **on(lane), http__port=0) as worker:
        assert worker.settings.http.enabled


async def test_two_workers_in_one_program_share_the_requests(lane):
    async with Worker(DOUBLER, **on(lane)) as one, Worker(DOUBLER, **on(lane)) as other, client(lane) as caller:
        await until(lambda: metric(one, "penstock_assigned_partitions") == 4)
        answers = [await caller.predict("doubler", [[1.0, 0.0, 0.0]], key=str(number)) for number in range(40)]
        assert metric(other, "penstock_assigned_partitions") == 4
        assert min(metric(each, "penstock_requests_total") for each in (one, other)) > 0
    assert len(answers) == 40


_PROGRAM = """
import asyncio, sys
from penstock import Signature, TensorSpec, Worker

bootstrap, requests, replies, group = sys.argv[1:]
spec = (TensorSpec("x", "FP32", (3,)),)
models = {"same": (lambda inputs: inputs, Signature(inputs=spec, outputs=spec))}

async def main():
    worker = Worker(models, bootstrap, request_topics=requests, reply_topic=replies, group_id=group)
    try:
        async with worker:
            print("serving", flush=True)
            await worker.wait()
    finally:
        print(worker.not_ready, flush=True)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("the program's own Ctrl-C")
"""


async def test_ctrl_c_is_the_programs_and_the_worker_drains(lane):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, lane.bootstrap, lane.requests, lane.replies, lane.group),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"serving\n"
    process.send_signal(signal.SIGINT)
    out, errors = await asyncio.wait_for(process.communicate(), 30)

    assert out.decode().splitlines() == ["the worker has ended", "the program's own Ctrl-C"]
    assert errors == b""
