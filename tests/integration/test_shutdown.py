"""A worker that is told to stop, and one that has more to do than it may hold."""

import os
import signal

import orjson
import pytest

from tests.support.messages import by_source, disorder, infer
from tests.support.traffic import Traffic, numbered
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess

_SLOW = {"batching__max_rows": 8, "worker__max_buffered_rows": 60, "worker__fetch_max_records": 30}


async def test_sigterm_under_load_answers_what_was_taken_in_and_leaves_the_rest(lane, worker_process):
    first = worker_process(**_SLOW, worker__shutdown_timeout_s=20)
    await first.start()
    await first.ready()
    async with Traffic(lane, 300, delay_s=0.05) as traffic:
        await traffic.lasting(2)
        first.signal(signal.SIGTERM)
        assert await first.wait(20) == 0
    served = by_source(await lane.read(enough=1))
    committed = await lane.committed()
    counts = {number: sum(source.split("/")[1] == str(number) for source in served) for number in range(8)}
    # What was taken in was answered, in order, and the commits say so: no more, no less.
    assert {number: state.offset for number, state in committed.items()} == counts
    assert all(state.metadata == "" for state in committed.values())
    assert 0 < len(served) < len(traffic.sent)
    assert "Traceback" not in first.text()

    second = worker_process()
    await second.start()
    replies = await traffic.answers()
    await lane.wait_until_committed()

    assert by_source(replies).keys() == traffic.sent.keys()
    assert len(replies) == len(traffic.sent)
    assert disorder(replies) == []


async def test_a_second_sigterm_ends_at_once(lane, worker_process):
    process = worker_process()
    await process.start()
    await process.ready()
    await lane.send([(0, None, numbered(1, delay_s=20), ())])
    await until(lambda: _holds_rows(process), within_s=10)

    process.signal(signal.SIGTERM)
    await until(lambda: process.logged("draining"), within_s=5)
    process.signal(signal.SIGTERM)

    assert await process.wait(1.5) == 130


async def test_sigterm_while_models_load_ends_it_without_joining(lane, worker_process, tmp_path):
    folder = tmp_path / "models" / "sleeper" / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(
        "import time\nfrom penstock.core.model import Signature, TensorSpec\n"
        "SIGNATURE = Signature((TensorSpec('x', 'FP32', ()),), (TensorSpec('x', 'FP32', ()),))\n"
        "def load(path):\n    time.sleep(60)\n"
        "def predict(inputs):\n    return inputs\n"
    )
    process = worker_process(default=None, models__repository=tmp_path / "models")
    await process.start()
    await until(lambda: process.logged("health and metrics"), within_s=20)
    process.signal(signal.SIGTERM)

    assert await process.wait(5) == 0
    assert not process.logged("worker started")


async def test_ctrl_c_on_a_terminal_drains_every_process_once(lane, worker_process):
    """The terminal signals the whole group: children that heard it too would end at once, by their second signal."""
    process = worker_process(worker__processes=2)
    await process.start()
    await process.ready(processes=2)
    await lane.send([(partition, None, numbered(1, delay_s=1), ()) for partition in range(8)])
    await lane.read(enough=1)

    os.killpg(process.pid, signal.SIGINT)

    assert await process.wait(20) == 0
    assert len(process.logged("stopped")) == 2
    assert not process.logged("stopped at once")


async def test_sigterm_to_every_process_at_once_is_one_wish(lane, worker_process):
    """As systemd does by default: a child hears it from there, and from its supervisor again."""
    process = worker_process(worker__processes=2)
    await process.start()
    await process.ready(processes=2)
    await lane.send([(partition, None, numbered(1, delay_s=1), ()) for partition in range(8)])
    await lane.read(enough=1)

    for pid in (*process.children(), process.pid):
        os.kill(pid, signal.SIGTERM)

    assert await process.wait(20) == 0
    assert len(process.logged("stopped")) == 2
    assert not process.logged("stopped at once")


async def _holds_rows(process: WorkerProcess) -> bool:
    return await process.metric("penstock_buffered_rows") > 0


async def test_sigterm_stops_the_supervisor_and_its_children(lane, worker_process):
    process = worker_process(worker__processes=2)
    await process.start()
    await process.ready(processes=2)
    await lane.send([(number % 8, None, infer([number, 0, 0]), ()) for number in range(100)])
    await lane.read(enough=100)

    process.signal(signal.SIGTERM)

    assert await process.wait(10) == 0
    assert len(process.logged("stopped")) == 2
    await lane.wait_until_committed()


@pytest.mark.parametrize("bound", ["rows", "bytes"])
async def test_a_backlog_is_held_within_the_bounds_and_answered_in_the_end(lane, inside_worker, bound):
    fetch = 40
    settings = {"batching__max_rows": 20, "worker__fetch_max_records": fetch}
    if bound == "rows":
        most, count, padding = 100, 1000, ""
        settings["worker__max_buffered_rows"] = most
    else:
        most, count, padding = 1024 * 1024, 400, "." * 10_000
        settings["worker__max_buffered_bytes"] = most
    document = orjson.loads(numbered(1, delay_s=0.03)) | {"parameters": {"padding": padding}}
    value = orjson.dumps(document)
    one = 1 if bound == "rows" else len(value) + 1000
    await lane.send([(number % 8, b"k", value, ()) for number in range(count)])

    seen: list[float] = []
    async with inside_worker(**settings) as worker:

        def answered() -> bool:
            seen.append(worker.value(f"penstock_buffered_{bound}"))
            return bool(worker.value("penstock_requests_total") == count)

        await until(answered, within_s=30, every_s=0.002)
        assert worker.value("penstock_assignment_epoch") == 1  # it never left the group
        await lane.wait_until_committed()

    assert most / 2 < max(seen) <= most + fetch * one
    assert len(await lane.read(enough=count)) == count
