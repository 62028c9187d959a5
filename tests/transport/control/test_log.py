"""Reading the control topic of a real broker: all of it, in order, and no longer than one is ready to wait."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer

from penstock.broker import EmbeddedKafka
from penstock.schemas.control.fold import ControlRecord
from penstock.schemas.control.resources import parse_resource
from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.transport.control.appending import append
from penstock.transport.control.log import NOT_BY_THE_BROKER_MS, ControlLog
from penstock.transport.topics import create_topics
from tests.support.damaged import batch_with_damaged_header_key, produce_raw
from tests.support.waiting import until
from tests.transport.control.service import ControlledService, new_service, offsets, wanted


@pytest.fixture
async def service(bootstrap: str) -> ControlledService:
    return await new_service(bootstrap)


@asynccontextmanager
async def reading(service: ControlledService, *, snapshots: bool = False) -> AsyncIterator[ControlLog]:
    log = ControlLog(service.options, service.topic, service.trust if snapshots else None)
    try:
        await log.start(10.0)
        yield log
    finally:
        await log.close()


async def test_empty_topic_is_read_at_once_and_what_comes_is_read_in_order(service: ControlledService):
    async with reading(service) as log:
        assert await log.read_to_end(10.0) == []
        await service.write(*service.throttles(3))
        assert offsets(await log.read_to_end(10.0)) == [0, 1, 2]
        assert await log.read_to_end(10.0) == []
        (written,) = await service.write(*service.throttles(1))
        (record,) = await log.poll(10.0)
        assert record.offset == written
        assert await log.poll(0.05) == []


async def test_records_have_what_is_on_the_wire_and_the_brokers_time(service: ControlledService):
    before_ms = time.time() * 1000
    offset = await append(
        service.options, service.topic, key=b"throttle/global", value=b"{}", headers=[("penstock-key", b"root")],
        timeout_s=10.0,
    )  # fmt: skip
    async with reading(service) as log:
        (record,) = await log.read_to_end(10.0)
    assert (record.offset, record.key, record.value) == (offset, b"throttle/global", b"{}")
    assert list(record.headers) == [("penstock-key", b"root")]
    assert before_ms - 5_000 <= record.timestamp_ms <= time.time() * 1000 + 5_000


async def test_marker_of_a_transaction_at_the_end_is_the_end(service: ControlledService):
    key, value = service.command("throttle/global", wanted(1))
    async with AIOKafkaProducer(**service.options, transactional_id=service.group) as producer:
        async with producer.transaction():
            await producer.send(service.topic, value, key=key, partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(service.topic, value, key=key, partition=0)
        await producer.abort_transaction()
        async with reading(service) as log:
            assert offsets(await log.read_to_end(10.0)) == [0]  # 1 is the commit, 2 was taken back, 3 is the abort
            await producer.begin_transaction()
            await producer.send_and_wait(service.topic, value, key=key, partition=0)
            await service.write((key, value))
            assert await log.read_to_end(10.0) == []  # nobody knows yet what becomes of it
            await producer.commit_transaction()
            found: list[ControlRecord] = []
            while len(found) < 2:
                found += await log.poll(5.0)
            assert offsets(found) == [4, 5]


async def test_late_reader_begins_at_the_snapshot_and_knows_the_same(service: ControlledService):
    await service.write(*service.throttles(60))
    fold, _, _ = await service.fold()
    between = service.command("throttle/global", wanted(7))
    await service.write(between, service.snapshot(fold.state), *service.throttles(5))
    early, _, all_ = await service.fold(snapshots=False)
    late, log, few = await service.fold()
    assert (all_, few) == (67, 7)  # what came between the state and its snapshot is read too
    assert log.snapshot is not None
    assert log.snapshot.epoch == 59
    assert late.state.digest() == early.state.digest()
    assert late.state.entries[parse_resource("throttle/global")].spec is not None


async def test_snapshot_far_from_the_end_is_found_too(service: ControlledService):
    await service.write(*service.throttles(10))
    fold, _, _ = await service.fold()
    await service.write(service.snapshot(fold.state), *service.throttles(2600))
    late, log, few = await service.fold()
    early, _, _ = await service.fold(snapshots=False)
    assert log.snapshot is not None
    assert few == 2601
    assert late.state.digest() == early.state.digest()


async def test_snapshot_whose_state_is_older_than_the_newest_records_is_read_on_from(service: ControlledService):
    await service.write(*service.throttles(10))
    fold, _, _ = await service.fold()
    await service.write(*service.throttles(2600), service.snapshot(fold.state))
    late, log, few = await service.fold()
    early, _, _ = await service.fold(snapshots=False)
    assert log.snapshot is not None
    assert few == 2601
    assert late.state.digest() == early.state.digest()


async def test_snapshot_of_another_service_is_passed_over(service: ControlledService, caplog: pytest.LogCaptureFixture):
    await service.write(*service.throttles(3))
    fold, _, _ = await service.fold()
    other = ControlledService(service.bootstrap, "another", service.cluster)
    await service.write(other.snapshot(fold.state))
    _, log, count = await service.fold()
    assert (log.snapshot, count) == (None, 4)
    assert "snapshot passed over" in caplog.text


async def test_log_without_its_beginning_says_so(service: ControlledService, caplog: pytest.LogCaptureFixture):
    await service.write(*service.throttles(6))
    fold, _, _ = await service.fold()
    await service.delete_before(4)
    _, _, count = await service.fold()
    assert count == 2
    assert "commands are missing at the beginning of the control topic" in caplog.text
    caplog.clear()
    await service.write(service.snapshot(fold.state))
    late, _, _ = await service.fold()
    assert late.state.digest() == fold.state.digest()
    assert not caplog.records


async def test_what_is_deleted_before_it_was_read_is_an_error(service: ControlledService):
    await service.write(*service.throttles(1))
    async with reading(service) as log:
        await log.read_to_end(10.0)
        await service.write(*service.throttles(5))
        await service.delete_before(4)
        # Some of it may have been fetched ahead; not all of it is there, and that is heard of.
        fetched = log._reader._consumer._fetcher._records
        fetched.clear()
        with pytest.raises(ConfigurationError, match="was made anew, or cut"):
            await log.read_to_end(10.0)


async def test_record_that_nobody_can_read_keeps_its_place_and_says_nothing(service: ControlledService):
    await service.write(*service.throttles(1))
    values = [value for _, value in service.throttles(3)]
    await produce_raw(service.bootstrap, service.topic, 0, batch_with_damaged_header_key(values, damaged=1))
    await service.write(*service.throttles(2))
    async with reading(service) as log:
        records = await log.read_to_end(10.0)
    assert offsets(records) == [0, 1, 2, 3, 4, 5]
    assert [record.value is None for record in records] == [False, False, True, False, False, False]


async def test_time_that_a_sender_has_set_is_after_every_expiry(bootstrap: str, caplog: pytest.LogCaptureFixture):
    service = await new_service(bootstrap, topics=False)
    await create_topics(service.options, {service.topic: 1}, configs={"message.timestamp.type": "CreateTime"})
    await service.write(service.command("throttle/global", wanted(1)))
    async with reading_anyway(service) as log:
        (record,) = await log.read_to_end(10.0)
    assert record.timestamp_ms == NOT_BY_THE_BROKER_MS
    assert "set message.timestamp.type of the control topic to LogAppendTime" in caplog.text


@asynccontextmanager
async def reading_anyway(service: ControlledService) -> AsyncIterator[ControlLog]:
    """Read a topic that may not hold commands, as one whose settings nobody may see."""
    log = ControlLog(service.options, service.topic)
    try:
        await log._reader.start(10.0)
        yield log
    finally:
        await log.close()


async def test_reading_that_ends_too_early_is_done_again_from_where_it_began(
    service: ControlledService, monkeypatch: pytest.MonkeyPatch
):
    async def further(_: float) -> int:
        return 100

    async with reading(service) as log:
        for first, last in ((0, 2), (2, 5)):
            await service.write(*service.throttles(last - first))
            with monkeypatch.context() as patch:
                patch.setattr(log._reader, "end", further)
                with pytest.raises(TransportError, match=f"could not be read in time: {last} of 100 offsets"):
                    await log.read_to_end(1.0)
                waiting = asyncio.create_task(log.read_to_end(10.0))
                await until(partial(stands_at, log, last), what="all that is there to be read")
                waiting.cancel()
                await asyncio.wait([waiting])
            assert offsets(await log.read_to_end(10.0)) == list(range(first, last))


def stands_at(log: ControlLog, position: int) -> bool:
    return log._reader.position == position


async def test_poll_before_the_first_reading_is_an_error(service: ControlledService):
    async with reading(service) as log:
        with pytest.raises(TransportError, match="has to be read to its end first"):
            await log.poll(0.1)


async def test_log_is_closed_in_peace_while_no_broker_answers(own_broker: EmbeddedKafka):
    service = await new_service(own_broker.bootstrap_servers)
    log = ControlLog(service.options, service.topic)
    await log.start(10.0)
    await log.read_to_end(10.0)
    await own_broker.stop()
    with pytest.raises(TransportError, match=f"the end of {service.topic} could not be found"):
        await log.read_to_end(0.5)
    closing = asyncio.create_task(log.close())
    await asyncio.wait([closing])
    assert not closing.cancelled()
    assert not log._reader._consumer._client._conns


async def test_broker_that_does_not_answer_is_an_error_by_the_deadline():
    log = ControlLog({"bootstrap_servers": "127.0.0.1:1"}, "nowhere-control")
    with pytest.raises(TransportError):
        await log.start(2.0)
    await log.close()
