"""Throttles on a worker that serves from a real Kafka: the test sets them where a command would."""

import asyncio
from collections import Counter
from typing import Any

import orjson
import pytest

from penstock import ServiceError
from penstock.schemas.control.resources import Scope, parse_scope
from penstock.schemas.control.specs import Throttle
from tests.support.embedding import client
from tests.support.lane import PARTITIONS, Lane
from tests.support.messages import by_source, data_of, error_of, headers_of, infer, source_of
from tests.support.waiting import until
from tests.support.worker_inside import InsideWorker

STOPPED = Throttle(rows_per_s=0.0)


def throttles(**specs: Throttle) -> dict[Scope, Throttle]:
    return {parse_scope(name.replace("_", ":", 1)): spec for name, spec in specs.items()}


def request(tenant: str, number: int, partition: int = 0, *headers: tuple[str, bytes], rows: int = 1) -> Any:
    """A request of a tenant, its key that of the tenant, so that its answers are in order."""
    value = infer(*[[number, 0, 0]] * rows)
    return partition, tenant.encode(), value, [("penstock-tenant", tenant.encode()), *headers]


def interleaved(count: int, partition: int = 0) -> list[Any]:
    """As many requests of tenants a and b, in turn."""
    return [request(tenant, number, partition) for number in range(count) for tenant in "ab"]


def numbers(replies: list[Any], tenant: str) -> list[int]:
    """What was asked for by a tenant, in the order of its answers."""
    return [int(data_of(reply)[0]) // 2 for reply in replies if reply.key == tenant.encode()]


async def test_one_tenant_waits_and_another_on_the_same_partition_does_not(lane: Lane, inside_worker):
    async with inside_worker() as inside:
        inside.worker.throttling.apply(throttles(tenant_a=STOPPED))
        await lane.send(interleaved(300))
        replies = await lane.read(enough=300)
        assert Counter(reply.key for reply in replies) == {b"b": 300}
        assert inside.value("penstock_delayed_requests") == 300
        assert inside.value("penstock_paused") == 0

        inside.worker.throttling.apply({})
        replies = await lane.read(enough=600)
        assert numbers(replies, "a") == numbers(replies, "b") == list(range(300))
        assert inside.value("penstock_delayed_requests") == 0
        await lane.wait_until_committed()


async def test_what_is_over_a_rate_is_answered_in_the_end_and_rows_beyond_the_first_count(lane: Lane, inside_worker):
    async with inside_worker() as inside:
        inside.worker.throttling.apply(throttles(tenant_a=Throttle(rows_per_s=200.0, burst=1.0)))
        await lane.send([request("a", number, rows=4) for number in range(60)])
        first = await lane.read(enough=1)
        assert len(first) < 60, "240 rows are not there at once"
        assert numbers(await lane.read(enough=60), "a") == list(range(60))


async def test_what_is_over_a_rejecting_rate_is_told_when_to_come_back(lane: Lane, inside_worker):
    async with inside_worker() as inside:
        spec = Throttle(rows_per_s=0.001, burst=3.0, on_excess="reject")
        inside.worker.throttling.apply(throttles(tenant_a=spec))
        sent = await lane.send(interleaved(20))
        replies = await lane.read(enough=40)

    refused = [reply for reply in replies if "penstock-error" in headers_of(reply)]
    assert len(by_source(replies)) == len(sent) == len(replies)
    assert {reply.key for reply in refused} == {b"a"}
    assert len(refused) == 17
    assert {error_of(reply) for reply in refused} == {"THROTTLED"}
    assert all(orjson.loads(reply.value)["retryable"] for reply in refused)
    assert all(0 < int(headers_of(reply)["penstock-retry-after-ms"]) <= 1_000_000 for reply in refused)
    assert inside.value("penstock_throttled_total") == 17


async def test_the_client_raises_when_to_come_back(lane: Lane, inside_worker):
    async with inside_worker() as inside, client(lane) as caller:
        spec = Throttle(rows_per_s=0.1, burst=0.0, on_excess="reject")
        inside.worker.throttling.apply(throttles(model_doubler=spec))
        await caller.predict("scaler", [[1.0]], timeout_s=20)
        await caller.predict("doubler", [[1.0, 0.0, 0.0]], timeout_s=20)
        with pytest.raises(ServiceError, match="model:doubler") as caught:
            await caller.predict("doubler", [[1.0, 0.0, 0.0]], timeout_s=20)
    assert (caught.value.code, caught.value.retryable) == ("THROTTLED", True)
    assert 5 < (caught.value.retry_after_s or 0) < 15


async def test_who_has_waited_until_its_deadline_is_told_so(lane: Lane, inside_worker):
    async with inside_worker() as inside:
        inside.worker.throttling.apply(throttles(tenant_a=STOPPED))
        await lane.send([request("a", number, 0, ("penstock-timeout-ms", b"400")) for number in range(5)])
        replies = await lane.read(enough=5)
        assert [error_of(reply) for reply in replies] == ["EXPIRED"] * 5
        assert inside.value("penstock_delayed_bytes") == 0


async def test_a_flood_that_finds_no_room_is_refused_and_stops_nobody(lane: Lane, inside_worker):
    async with inside_worker(control__max_delayed_bytes=40_000) as inside:
        inside.worker.throttling.apply(throttles(tenant_a=STOPPED))
        await lane.send([*interleaved(100, 0), *interleaved(100, 1)])
        replies = await lane.read(enough=lambda found: len(found) + inside.value("penstock_delayed_requests") == 400)
        refused = [reply for reply in replies if "penstock-error" in headers_of(reply)]
        assert 0 < inside.value("penstock_delayed_bytes") < 21_000
        assert Counter(reply.key for reply in replies)[b"b"] == 200
        assert {error_of(reply) for reply in refused} == {"THROTTLED"}
        assert all("penstock-retry-after-ms" not in headers_of(reply) for reply in refused), "nobody knows"


async def test_many_gaps_in_a_partition_do_not_stop_it(lane: Lane, inside_worker):
    async with inside_worker() as inside:
        inside.worker.throttling.apply(throttles(tenant_a=STOPPED))
        await lane.send(interleaved(2500))
        replies = await lane.read(enough=lambda found: sum(reply.key == b"b" for reply in found) == 2500)
        assert inside.value("penstock_delayed_requests") == 2000
        assert sum(reply.key == b"a" and error_of(reply) == "THROTTLED" for reply in replies) == 500


async def test_what_waits_is_given_back_when_partitions_go(lane: Lane, inside_worker):
    async with inside_worker() as first:
        first.worker.throttling.apply(throttles(tenant_a=STOPPED))
        await lane.send([each for partition in range(PARTITIONS) for each in interleaved(20, partition)])
        await lane.read(enough=20 * PARTITIONS)
        assert first.value("penstock_delayed_requests") == 20 * PARTITIONS

        async with inside_worker() as second:
            half = 20 * PARTITIONS // 2
            await until(lambda: second.value("penstock_assigned_partitions") == PARTITIONS // 2)
            replies = await lane.read(enough=20 * PARTITIONS + half)
            await until(lambda: first.value("penstock_delayed_requests") == half)
            assert second.value("penstock_skipped_total") + first.value("penstock_skipped_total") == 20 * PARTITIONS
        replies = await lane.read(enough=20 * PARTITIONS + half)
        assert len(by_source(replies)) == len(replies) == 20 * PARTITIONS + half, "each was answered once"


async def test_what_waits_at_shutdown_is_served_by_the_next_worker(lane: Lane, inside_worker):
    async with inside_worker() as inside:
        inside.worker.throttling.apply(throttles(tenant_a=STOPPED))
        await lane.send(interleaved(100))
        await lane.read(enough=100)
        await inside.stop(within_s=10)
    async with inside_worker() as successor:
        replies = await lane.read(enough=200)
        assert len(by_source(replies)) == len(replies) == 200
        assert numbers(replies, "a") == list(range(100))
        assert successor.value("penstock_skipped_total") == 100


@pytest.mark.parametrize("scope", ["global", "lane"])
async def test_a_whole_service_and_a_lane_are_held_back_in_kafka(lane: Lane, inside_worker, scope: str):
    async with inside_worker() as inside:
        spec = Throttle(rows_per_s=0.001, burst=5.0)
        inside.worker.throttling.apply({Scope(scope, "" if scope == "global" else lane.requests): spec})
        await lane.send([request("a", number, number % PARTITIONS) for number in range(100)])
        assert len(await lane.read(enough=5)) == 5
        await until(inside.worker._consumer.paused, what="the partitions are paused")
        assert inside.value("penstock_buffered_rows") == 0
        assert inside.value("penstock_delayed_requests") == 0
        assert len(await lane.read(enough=5)) == 5

        inside.worker.throttling.apply({})
        assert len(await lane.read(enough=100)) == 100
        await lane.wait_until_committed()


async def test_a_rate_for_the_whole_service_lets_everything_through_in_time(lane: Lane, inside_worker):
    async with inside_worker() as inside:
        inside.worker.throttling.apply(throttles(**{"global": Throttle(rows_per_s=300.0, burst=10.0)}))
        await lane.send([request("a", number, number % PARTITIONS) for number in range(300)])
        assert len(await lane.read(enough=1)) < 200
        replies = await lane.read(enough=300)
        assert len({source_of(reply) for reply in replies}) == len(replies) == 300


async def test_workers_that_have_heard_nothing_of_each_other_share_by_partitions(lane: Lane, inside_worker):
    spec = throttles(**{"global": Throttle(rows_per_s=100.0, burst=0.0)})

    def demand_of(inside: InsideWorker) -> float:
        return inside.worker.throttling.demand()["global"].granted_per_s

    async with inside_worker() as first, inside_worker() as second:
        await until(lambda: first.value("penstock_assigned_partitions") == PARTITIONS // 2)
        await until(lambda: second.value("penstock_assigned_partitions") == PARTITIONS // 2)
        for inside in (first, second):
            inside.worker.throttling.apply(spec)
        assert [demand_of(first), demand_of(second)] == [pytest.approx(50.0)] * 2
        await lane.send([request("a", number, number % PARTITIONS) for number in range(50)])
        await lane.read(enough=50)
        await asyncio.gather(first.stop(), second.stop())
