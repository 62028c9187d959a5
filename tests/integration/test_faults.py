"""Workers that are killed, a group that changes, and a broker that goes away: nothing is lost or out of order."""

import asyncio
import os
import signal
import socket
from typing import Any

from penstock.producer.client import Client
from penstock.transport.group import leave_for
from tests.support.lane import new_lane
from tests.support.messages import by_source, data_of, disorder, infer
from tests.support.traffic import Traffic, longest_gaps
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, alive, variables

# The kill, both rebalances (the dead one leaves, its successor joins), and quiet seconds before and after.
_LOAD_S = 30.0


def doubles(replies: list[Any]) -> list[str]:
    return [source for source, answers in by_source(replies).items() if len(answers) > 1]


async def test_a_killed_process_costs_no_answer_no_order_and_less_than_three_seconds(lane, worker_process):
    # Commits are rare, so that at any moment there are answers which no commit covers: the kill repeats those.
    process = worker_process(worker__processes=2, worker__commit_interval_s=0.5)
    await process.start()
    await process.ready(processes=2)

    async with Traffic(lane, 2000, keys=100) as traffic:
        await traffic.lasting(_LOAD_S / 3)
        victim, survivor = process.children()
        os.kill(victim, signal.SIGKILL)
        await traffic.lasting(_LOAD_S * 2 / 3)
        # It came back, and the other one was not touched.
        back = await until(lambda: [pid for pid in process.children() if pid != survivor], within_s=5)
        assert alive(survivor)
        assert back != [victim]
    replies = await traffic.answers()
    await lane.wait_until_committed()

    found = by_source(replies)
    assert found.keys() == traffic.sent.keys()
    for source, (key, number) in traffic.sent.items():
        assert {(reply.key, data_of(reply)[0]) for reply in found[source]} == {(key, 2.0 * number)}
    assert disorder(replies) == []
    assert doubles(replies), "the kill hit a moment without uncommitted answers and has proved nothing"
    gaps = longest_gaps(replies)
    print(f"{len(doubles(replies))} answered twice, longest gaps {gaps}")
    assert len(gaps) == 8
    assert max(gaps.values()) < 3.0, gaps
    assert len(process.logged("left the group for a dead process")) == 1


async def test_a_group_that_grows_and_shrinks_under_load_answers_all_in_order(lane, inside_worker):
    first, second, third = inside_worker(), inside_worker(), inside_worker()
    async with first, Traffic(lane, 1000, keys=50) as traffic:
        await traffic.lasting(1.5)
        async with second, third:
            await until(lambda: second.value("penstock_assigned_partitions") > 0, within_s=10)
            await until(lambda: third.value("penstock_assigned_partitions") > 0, within_s=10)
            await traffic.lasting(1.5)
        await until(lambda: first.value("penstock_assigned_partitions") == 8, within_s=10)
        await traffic.lasting(1.5)
    async with inside_worker():
        replies = await traffic.answers()
        await lane.wait_until_committed()

    assert by_source(replies).keys() == traffic.sent.keys()
    assert disorder(replies) == []
    assert max(longest_gaps(replies).values()) < 3.0


async def test_a_broker_that_is_away_for_twenty_seconds_loses_nothing(own_broker, models, tmp_path):
    lane = await new_lane(own_broker.bootstrap_servers)
    node = own_broker.nodes[0]
    async with (
        WorkerProcess(tmp_path / "log", variables(lane, models)) as process,
        Client(lane.bootstrap, request_topic=lane.requests, reply_topic=lane.replies, timeout_s=60.0) as client,
        Client(lane.bootstrap, request_topic=lane.requests, reply_topic=lane.replies, timeout_s=60.0) as late,
    ):
        await process.ready()
        calls: list[asyncio.Task[Any]] = []

        def call() -> None:
            rows = [[float(len(calls)), 0.0, 0.0]]
            calls.append(asyncio.create_task(client.predict(None, rows, key=str(len(calls) % 5))))

        async def call_for(seconds: float) -> None:
            for _ in range(int(seconds * 10)):
                call()
                await asyncio.sleep(0.1)  # the calls' rhythm

        await call_for(1.0)
        stopping = asyncio.create_task(node.stop())
        await call_for(1.0)
        # The first call of a client that has sent nothing while the broker was there.
        first_call = asyncio.create_task(late.predict("scaler", [[4.0]]))
        await call_for(19.0)
        await stopping
        await node.start()
        await call_for(2.0)
        assert (await first_call)["y"] == [[40.0]]
        answers = await asyncio.gather(*calls)

        assert [answer["y"][0][0] for answer in answers] == [2.0 * number for number in range(len(calls))]
        assert process.running
        await lane.wait_until_committed()
        replies = await lane.read(enough=len(calls) + 1)
        assert disorder(replies) == []
    assert "Traceback" not in process.text()


async def test_what_was_finished_beyond_the_committed_offset_is_not_done_again_after_a_kill(lane, worker_process):
    # The first request waits for a full batch of its model; behind it, batches of another model fill and run.
    waiting = {"batching__max_rows": 4, "batching__max_delay_s": 10}
    killed = worker_process(**waiting)
    await killed.start()
    await killed.ready()
    scaled = [(0, b"k", infer([number]), [("penstock-model", b"scaler")]) for number in range(8)]
    await lane.send([(0, b"k", infer([1, 2, 0]), ()), *scaled])

    async def finished_beyond() -> bool:
        state = (await lane.committed()).get(0)
        return state is not None and state.offset == 0 and state.metadata == "1:AQg"  # a gap of 1, a run of 8

    await until(finished_beyond, within_s=8, every_s=0.05)
    killed.signal(signal.SIGKILL)
    await killed.wait()
    # Nobody supervises this one: without this the group would wait for it until its session ends.
    options = {"bootstrap_servers": lane.bootstrap}
    assert len(await leave_for(options, lane.group, f"penstock-{socket.gethostname()}-{killed.pid}")) == 1

    successor = worker_process()
    await successor.start()
    await successor.ready()
    replies = await lane.read(enough=9)
    await lane.wait_until_committed()

    assert doubles(replies) == []
    assert len(replies) == 9
    assert await successor.metric("penstock_skipped_total") == 8
    assert (await lane.committed())[0].metadata == ""


async def test_children_end_when_their_supervisor_is_killed(worker_process):
    process = worker_process(worker__processes=2)
    await process.start()
    await process.ready(processes=2)
    children = process.children()
    assert len(children) == 2

    process.signal(signal.SIGKILL)
    await process.wait()

    await until(lambda: not any(alive(pid) for pid in children), within_s=10)
    assert len(process.logged("the supervisor is gone")) == 2
    assert "Traceback" not in process.text()
