import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from penstock.broker import BrokerStartError, EmbeddedKafka, PortTakenError
from penstock.broker.ready import known_nodes


async def produce(kafka: EmbeddedKafka, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(**kafka.client_config()) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(kafka: EmbeddedKafka, topic: str, count: int) -> list[bytes]:
    settings = {"auto_offset_reset": "earliest", **kafka.client_config()}
    async with AIOKafkaConsumer(topic, **settings) as consumer, asyncio.timeout(20):
        return [(await consumer.getone()).value for _ in range(count)]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Adopted by a parent that doesn't collect it, a dead process stays as a zombie.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def becomes_true(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def test_what_is_produced_can_be_consumed(kafka):
    await produce(kafka, "plain", b"one", b"two")

    assert await consume(kafka, "plain", 2) == [b"one", b"two"]


async def test_stopped_and_started_node_keeps_its_data_and_port(kafka):
    await produce(kafka, "kept", b"before")
    address = kafka.bootstrap_servers

    await kafka.nodes[0].stop()
    assert not await known_nodes(kafka.nodes[0].spec.port, {})
    await kafka.nodes[0].start()

    assert kafka.bootstrap_servers == address
    assert await consume(kafka, "kept", 1) == [b"before"]


async def test_killed_node_comes_back_with_its_data(kafka):
    await produce(kafka, "survives", b"before")
    pid = kafka.nodes[0].pid

    await kafka.nodes[0].kill()
    assert await becomes_true(lambda: not alive(pid))
    await kafka.nodes[0].start()

    assert await consume(kafka, "survives", 1) == [b"before"]


async def test_suspended_node_accepts_connections_and_answers_after_resume(kafka):
    node = kafka.nodes[0]
    node.suspend()
    try:
        assert "suspended" in repr(node)
        _, writer = await asyncio.open_connection("127.0.0.1", node.spec.port)
        writer.close()
        assert not await known_nodes(node.spec.port, {})
    finally:
        node.resume()

    await produce(kafka, "resumed", b"x")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
async def test_killed_guard_leaves_no_broker_behind(kafka):
    node = kafka.nodes[0]
    pid = node.pid

    os.kill(parent_of(pid), signal.SIGKILL)

    assert await becomes_true(lambda: not alive(pid))
    await node.wait_ended()
    assert not node.running
    await node.start()


async def test_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1 is taken"):
            await EmbeddedKafka(port=port).start()


async def test_broker_that_dies_at_start_shows_the_end_of_its_log_and_leaves_nothing(kafka):
    dying = EmbeddedKafka(properties={"num.io.threads": "nonsense"})

    with pytest.raises(BrokerStartError, match=r"ended with status 1 before it was ready") as caught:
        await dying.start()

    assert "num.io.threads" in caught.value.tail
    assert dying.nodes == ()


async def test_broker_that_does_not_answer_in_time_is_ended(kafka):
    slow = EmbeddedKafka(start_timeout_s=0.2)

    with pytest.raises(BrokerStartError, match=r"did not answer a metadata request within 0\.2 s"):
        await slow.start()

    assert slow.nodes == ()


async def test_cluster_id_port_and_data_live_on_in_a_data_folder(kafka, tmp_path):
    async with EmbeddedKafka(data_dir=tmp_path / "data", heap_mb=256) as first:
        await produce(first, "kept", b"x")
        port, cluster_id = first.nodes[0].spec.port, first.cluster_id
        log = first.nodes[0].log_path

    assert "INFO" in log.read_text()
    async with EmbeddedKafka(data_dir=tmp_path / "data", port=port, cluster_id=cluster_id, heap_mb=256) as second:
        assert second.bootstrap_servers == f"127.0.0.1:{port}"
        assert await consume(second, "kept", 1) == [b"x"]


PARENT = """
import asyncio
from penstock.broker import EmbeddedKafka

async def main():
    async with EmbeddedKafka(heap_mb=256) as kafka:
        print(kafka.nodes[0].pid, kafka.data_dir, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_killed_parent_leaves_no_broker_and_no_folder_behind(kafka):
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    async with asyncio.timeout(60):
        pid, folder = (await parent.stdout.readline()).decode().split()

    parent.kill()
    await parent.wait()

    assert await becomes_true(lambda: not alive(int(pid)))
    assert await becomes_true(lambda: not Path(folder).exists())
