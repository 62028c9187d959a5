"""Examining services on a real broker."""

import asyncio
import contextlib
import json
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from penstock.cli.doctor import kafka_examination
from penstock.cli.doctor.finding import Finding
from penstock.cli.remedies import KafkaTools
from penstock.cli.topics.creation import TopicSettings, Wanted, make
from penstock.consumer.lane_settings import LaneSettings
from penstock.schemas.errors import TransportError
from penstock.transport.settings import KafkaSettings
from tests.support.examination import examined, settings_of
from tests.support.lane import Lane
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, variables

ROW = json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 0]}]}).encode()


def by_check(findings: list[Finding], section: str) -> dict[str, Finding]:
    return {found.check: found for found in findings if found.section == section}


def free_ports(count: int) -> int:
    """A port with so many free ones from it on."""
    for _ in range(50):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            first: int = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for number in range(1, count):
                held.enter_context(socket.create_server(("127.0.0.1", first + number)))
            return first
    raise AssertionError("no free ports side by side")


@pytest.fixture
async def made_lane(bootstrap: str) -> Lane:
    """A lane with the topics that `penstock topics create` makes."""
    name = f"doctor-{secrets.token_hex(4)}"
    lane = Lane(bootstrap, f"{name}-requests", f"{name}-replies", f"{name}-group")
    settings = TopicSettings(
        kafka=KafkaSettings(bootstrap_servers=tuple(bootstrap.split(","))),
        worker=LaneSettings(request_topics=(lane.requests,), reply_topic=lane.replies),
    )
    await make(settings, Wanted(8), KafkaTools(bootstrap))
    return lane


@contextlib.asynccontextmanager
async def reader_without_worker(lane: Lane):
    """A member of the group that owns everything, and serves nothing."""
    options = {"bootstrap_servers": lane.bootstrap, "group_id": lane.group, "enable_auto_commit": False}
    async with AIOKafkaConsumer(lane.requests, client_id="idler", auto_offset_reset="earliest", **options) as consumer:
        await until(consumer.assignment, what="partitions")
        yield consumer


async def test_healthy_service_is_well_in_everything(made_lane: Lane, models: Path, tmp_path: Path):
    port = free_ports(2)
    more: dict[str, Any] = {"http__port": port, "worker__processes": 2}
    async with WorkerProcess(tmp_path / "worker.log", variables(made_lane, models, **more)) as worker:
        await worker.ready(processes=2)
        await made_lane.send([(number, None, ROW, ()) for number in range(8)])
        await made_lane.wait_until_committed()

        found = await examined(settings_of(made_lane, models, **more))

    # How many cores and how much memory there are is not this test's matter.
    assert [each for each in found if each.level != "ok" and each.section != "machine"] == []
    assert {each.section for each in found} == {
        "settings", "kafka", "topics", "access", "group", "models", "machine", "workers"
    }  # fmt: skip
    assert len(by_check(found, "kafka")) == 4


async def test_missing_topics_and_missing_workers_are_named(bootstrap: str, models: Path):
    name = f"nowhere-{secrets.token_hex(4)}"
    found = await examined(settings_of(Lane(bootstrap, name, f"{name}-replies", f"{name}-group"), models))
    missing = by_check(found, "topics")["missing"]
    assert missing.level == "fault"
    assert missing.what == f"{name}, {name}-replies, {name}-dlt are missing"
    assert missing.commands == ("penstock topics create",)
    assert by_check(found, "group")["members"].level == "warning"


async def test_no_broker_leaves_the_other_checks(models: Path, lane: Lane):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        found = await examined({**settings_of(lane, models), "kafka.bootstrap_servers": address})
    assert by_check(found, "kafka")["address"].what == f"{address}: connection refused"
    assert {each.level for each in found if each.section in ("topics", "access", "group")} == {"skipped"}
    assert {each.level for each in found if each.section in ("settings", "models")} == {"ok"}


async def test_broken_settings_leave_the_other_checks(service: dict[str, object], monkeypatch: pytest.MonkeyPatch):
    del service["worker.group_id"]
    monkeypatch.setenv("PENSTOCK_WORKER__PROCESSES", "many")
    found = await examined(service)
    faults = [each.what for each in found if each.section == "settings"]
    assert [fault.split(":")[0] for fault in faults] == ["worker.group_id", "PENSTOCK_WORKER__PROCESSES"]
    assert by_check(found, "group")["members"].level == "skipped"
    assert by_check(found, "topics")["topic"].level == "ok"
    assert by_check(found, "kafka")["release"].level == "ok"


async def test_requests_that_nobody_reads_are_counted(service, lane: Lane):
    await lane.send([(0, None, ROW, ()), (5, None, ROW, ())])
    found = by_check(await examined(service), "group")
    assert found["members"].what == f"nobody is in group {lane.group}, and 2 requests wait"


async def test_requests_that_do_not_move_are_found(service, lane: Lane):
    await lane.send([(3, None, ROW, ()) for _ in range(3)])
    async with reader_without_worker(lane) as consumer:
        await consumer.commit({TopicPartition(lane.requests, 3): 1})
        found = by_check(await examined(service, watch_s=1.0), "group")
    assert found["progress"].level == "fault"
    assert found["progress"].what.startswith("2 requests wait and do not move")
    assert found["progress"].what.endswith(f"{lane.requests}/3")
    assert "idler on" in found["progress"].mend


async def test_group_that_cannot_be_watched_leaves_the_other_findings(service, lane: Lane, monkeypatch):
    async def away(*_: object, **__: object) -> None:
        raise TransportError("its coordinator is away")

    monkeypatch.setattr(kafka_examination, "watch_group", away)
    await lane.send([(3, None, ROW, ()), (4, None, ROW, ())])
    async with reader_without_worker(lane):
        found = await examined(service)
    group = by_check(found, "group")["progress"]
    assert (group.level, group.what) == ("skipped", "2 requests wait; whether they move was not watched")
    assert {each.section for each in found if each.level != "skipped"} >= {"topics", "access"}


async def test_requests_that_move_are_well(service, lane: Lane):
    await lane.send([(3, None, ROW, ()) for _ in range(400)])
    place = TopicPartition(lane.requests, 3)
    async with reader_without_worker(lane) as consumer:

        async def serve() -> None:
            for offset in range(1, 400):
                await consumer.commit({place: offset})
                await asyncio.sleep(0.02)

        serving = asyncio.create_task(serve())
        try:
            found = by_check(await examined(service, watch_s=10), "group")
        finally:
            serving.cancel()
    assert found["progress"].level == "ok"
    assert found["progress"].what.endswith("requests wait, and they move")


async def test_what_a_transaction_leaves_behind_is_no_request(service, lane: Lane):
    async with lane.producer(transactional_id=f"{lane.group}-transactions") as producer:
        with contextlib.suppress(ZeroDivisionError):
            async with producer.transaction():
                await producer.send_and_wait(lane.requests, ROW, partition=2)
                raise ZeroDivisionError
    async with reader_without_worker(lane):
        found = by_check(await examined(service, watch_s=0.5), "group")
    assert (found["progress"].level, found["progress"].what) == ("ok", "nothing waits")


async def test_commit_beyond_the_end_is_found(service, lane: Lane):
    async with reader_without_worker(lane) as consumer:
        await consumer.commit({TopicPartition(lane.requests, 1): 1000})
    found = by_check(await examined(service), "group")
    assert found["beyond"].what.endswith(f"{lane.requests}/1")


async def test_requests_that_were_removed_are_counted(service, lane: Lane):
    place = TopicPartition(lane.requests, 4)
    await lane.send([(4, None, ROW, ()) for _ in range(5)])
    async with reader_without_worker(lane) as consumer:
        await consumer.commit({place: 1})
    admin = AIOKafkaAdminClient(bootstrap_servers=lane.bootstrap)
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(before_offset=4)})
    await admin.close()
    found = by_check(await examined(service), "group")
    assert found["lost"].what == f"3 requests were removed before they were served: {lane.requests}/4"


@pytest.mark.parametrize("ahead_s", [3600, -3600])
async def test_clock_that_is_an_hour_off_is_a_fault(service, lane: Lane, ahead_s: int):
    await lane.send([(0, None, ROW, ())])
    found = by_check(await examined(service, wall_clock=lambda: time.time() + ahead_s), "kafka")
    assert found["clock"].level == "fault"
    assert "60 min behind ours" in found["clock"].what or "60 min ahead of ours" in found["clock"].what
    assert ("timestamps" in found) is (ahead_s < 0)


async def test_examination_creates_no_topic(bootstrap: str, models: Path):
    name = f"untouched-{secrets.token_hex(4)}"
    lane = Lane(bootstrap, name, f"{name}-replies", f"{name}-group")
    await examined(settings_of(lane, models))
    assert not [topic for topic in await lane.topics() if topic.startswith(name)]
