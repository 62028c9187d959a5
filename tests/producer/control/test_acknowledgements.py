"""What the workers say of an order, and of themselves; the test speaks for them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from penstock.producer.control.acknowledgements import ack_of
from penstock.producer.control.control import Control
from penstock.producer.control.results import Ack
from penstock.schemas.control.status import Failed, Refused, WorkerStatus
from penstock.schemas.errors import ConfigurationError
from penstock.transport.control.statuses import GONE, Report, as_of
from penstock.transport.topics import create_topics
from tests.support.waiting import until
from tests.transport.control.service import ControlledService, new_service, wanted

IRIS = "deployment/iris"


def status(worker: str = "worker-1", **said: Any) -> WorkerStatus:
    facts = {"started": 1, "time": 1, "interval_s": 60.0, "state": "running", "epoch": 7, "digest": "d", **said}
    return WorkerStatus(worker=worker, **facts)


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        (None, "silent", ""),
        (status(epoch=6), "pending", ""),
        (status(), "applied", ""),
        (status(epoch=9), "applied", ""),
        (status(pending=(IRIS,)), "pending", ""),
        (status(pending=("deployment/other",)), "applied", ""),
        (status(failed=(Failed(offset=7, resource=IRIS, reason="no such version"),)), "failed", "no such version"),
        (status(failed=(Failed(offset=5, resource=IRIS, reason="old"),)), "applied", ""),
        (status(refused=(Refused(offset=7, code="EXPIRED", reason="late"),)), "refused", "EXPIRED: late"),
        (status(refused=(Refused(offset=6, code="EXPIRED", reason="late"),)), "applied", ""),
        (status(state="stopped"), "silent", ""),
        (status(state=GONE), "silent", ""),
        (status(epoch=6, failed=(Failed(offset=7, resource=IRIS, reason="odd"),)), "pending", ""),
    ],
)
def test_ack_is_read_off_a_status(said: WorkerStatus | None, kind: str, reason: str):
    found = ack_of("worker-1", said, 7, IRIS)
    assert (found.kind, found.reason) == (kind, reason)
    assert found.settled == (kind in ("applied", "failed", "refused"))


@pytest.mark.parametrize(
    ("age_s", "state", "seen"),
    [(2.9, "running", "running"), (3.1, "running", GONE), (9.0, "stopped", "stopped")],
)
def test_worker_that_says_nothing_for_three_intervals_is_gone(age_s: float, state: str, seen: str):
    report = Report(b"worker-1", 100_000, b"")
    assert as_of(report, status(state=state, interval_s=1.0), 100_000 + round(age_s * 1000)).state == seen


@dataclass
class Workers:
    """The members of a group, and what they say."""

    service: ControlledService
    control: Control
    heard: list[Ack] = field(default_factory=list)

    async def say(self, *statuses: WorkerStatus) -> None:
        async with AIOKafkaProducer(**self.service.options, acks="all") as producer:
            for each in statuses:
                topic, key = self.service.status_topic, each.worker.encode()
                await producer.send_and_wait(topic, each.encode(), key=key, partition=0)

    async def told(self, *acks: Ack) -> None:
        await until(lambda: all(ack in self.heard for ack in acks), what=lambda: f"{acks} in {self.heard}")


@asynccontextmanager
async def joined(service: ControlledService, *names: str) -> AsyncIterator[Workers]:
    """A service in whose group these client ids are."""
    async with AsyncExitStack() as stack:
        await create_topics(service.options, {f"{service.group}-requests": 4})
        for name in names:
            member = AIOKafkaConsumer(
                f"{service.group}-requests", **service.options, group_id=service.group, client_id=name
            )
            await stack.enter_async_context(member)
        control = Control(service.bootstrap, service.group, signing="off", issuer="anna", timeout_s=10.0)
        await stack.enter_async_context(control)
        workers = Workers(service, control)
        await until(lambda: all_there(control, names), what="the members")
        yield workers


async def all_there(control: Control, names: tuple[str, ...]) -> bool:
    return await control.members() == sorted(names)


async def test_each_member_is_waited_for_and_told_of_as_it_speaks(service: ControlledService):
    async with joined(service, "worker-1", "worker-2", "worker-3") as workers:
        await workers.say(status("worker-3", epoch=-1))
        issued = await workers.control.deploy("iris", "4")
        waiting = asyncio.create_task(workers.control.wait(issued, 60.0, workers.heard.append))
        await workers.told(Ack("worker-1", "silent"), Ack("worker-2", "silent"), Ack("worker-3", "pending"))
        await workers.say(status("worker-1", epoch=0, pending=(IRIS,)), status("worker-9", epoch=0))
        await workers.told(Ack("worker-1", "pending"))
        failed = Failed(offset=0, resource=IRIS, reason="it does not load")
        await workers.say(status("worker-1", epoch=0), status("worker-2", epoch=0, failed=(failed,)))
        await workers.told(Ack("worker-1", "applied"), Ack("worker-2", "failed", "it does not load"))
        assert not waiting.done()
        await workers.say(status("worker-3", epoch=3))
        assert await waiting == [
            Ack("worker-1", "applied"), Ack("worker-2", "failed", "it does not load"), Ack("worker-3", "applied"),
        ]  # fmt: skip
        assert len(workers.heard) == 7  # each of them once
        assert "worker-9" not in {ack.worker for ack in workers.heard}  # it is not in the group


async def test_what_was_said_before_the_wait_counts(service: ControlledService):
    async with joined(service, "worker-1") as workers:
        issued = await workers.control.deploy("iris", "4")
        await workers.say(status("worker-1", epoch=0))
        assert await workers.control.wait(issued, 60.0) == [Ack("worker-1", "applied")]


async def test_silent_and_slow_members_are_told_apart_at_the_deadline(service: ControlledService):
    async with joined(service, "worker-1", "worker-2") as workers:
        issued = await workers.control.deploy("iris", "4")
        await workers.say(status("worker-2", epoch=0, pending=(IRIS,)))
        began = time.monotonic()
        acks = await workers.control.wait(issued, 1.0)
        assert time.monotonic() - began >= 1.0
        assert acks == [Ack("worker-1", "silent"), Ack("worker-2", "pending")]


async def test_refused_command_is_refused_on_every_worker(service: ControlledService):
    async with joined(service, "worker-1") as workers:
        issued = await workers.control.throttle("global", 5.0)
        await workers.say(
            status("worker-1", epoch=0, refused=(Refused(offset=0, code="UNKNOWN_KEY", reason="whose?"),))
        )
        assert await workers.control.wait(issued, 60.0) == [Ack("worker-1", "refused", "UNKNOWN_KEY: whose?")]


async def test_group_without_members_has_nobody_to_wait_for(service: ControlledService):
    async with joined(service) as workers:
        issued = await workers.control.throttle("global", 5.0)
        assert await workers.control.wait(issued, 60.0) == []


async def test_member_that_leaves_is_not_waited_for(service: ControlledService):
    async with joined(service, "worker-1") as workers:
        issued = await workers.control.deploy("iris", "4")
        await workers.say(status("worker-1", epoch=0))
        leaving = AIOKafkaConsumer(
            f"{service.group}-requests", **service.options, group_id=service.group, client_id="worker-2"
        )
        await leaving.start()
        await until(lambda: all_there(workers.control, ("worker-1", "worker-2")), what="the second member")
        waiting = asyncio.create_task(workers.control.wait(issued, 60.0, workers.heard.append))
        await workers.told(Ack("worker-2", "silent"))
        await leaving.stop()
        assert await waiting == [Ack("worker-1", "applied")]


async def test_status_is_the_last_word_of_each_and_says_who_is_gone(service: ControlledService):
    async with joined(service) as workers:
        assert await workers.control.status() == []
        await workers.say(status("b", epoch=1), status("a", epoch=1), status("b", epoch=2))
        await workers.say(status("c", state="stopped"), status("d", interval_s=0.01))
        await service.write(service.command("throttle/global", wanted(1)))
        async with AIOKafkaProducer(**service.options) as producer:
            await producer.send_and_wait(service.status_topic, b"no status", key=b"e", partition=0)
        found = await until(lambda: gone(workers.control), what="d to be gone")
        assert [(each.worker, each.state, each.epoch) for each in found] == [
            ("a", "running", 1), ("b", "running", 2), ("c", "stopped", 7), ("d", GONE, 7),
        ]  # fmt: skip


async def gone(control: Control) -> list[WorkerStatus] | None:
    found = await control.status()
    return found if found[-1].state == GONE else None


async def test_watching_gives_the_last_words_then_each_new_one_and_who_falls_silent(service: ControlledService):
    async with joined(service) as workers:
        await workers.say(status("a", epoch=1), status("a", epoch=2))
        seen = []
        watching = workers.control.watch()
        async for each in watching:
            seen.append((each.worker, each.state, each.epoch))
            if len(seen) == 1:
                await workers.say(status("a", epoch=3), status("b", epoch=3, interval_s=0.2))
            if each.state == GONE:
                break
        await watching.aclose()
        assert seen[:2] == [("a", "running", 2), ("a", "running", 3)]
        assert seen[-1] == ("b", GONE, 3)
        assert set(seen[2:-1]) <= {("b", "running", 3)}  # unless it was read too late to be news


async def test_missing_status_topic_is_said(bootstrap: str):
    absent = await new_service(bootstrap, topics=False)
    control = Control(bootstrap, absent.group)
    with pytest.raises(ConfigurationError, match=f"status topic {absent.status_topic} does not exist"):
        await control.status()
