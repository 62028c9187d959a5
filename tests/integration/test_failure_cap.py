"""A worker whose requests nearly all fail leaves them in Kafka, and goes on when others serve or they succeed again."""

import numpy as np

from penstock.core.callable_model import CallableModel
from penstock.core.model import Signature, TensorSpec
from tests.support.messages import by_source, infer, source_of
from tests.support.waiting import until

BAD, GOOD = infer([1, 666, 0]), infer([1, 2, 0])  # the model raises for the first
SMALL = {"worker__fetch_max_records": 10, "batching__max_rows": 10, "batching__quick_rows": 10}
CAP = {"worker__failure_cap_window": 50, "worker__failure_cap_retry_s": 0.1}
SIGNATURE = Signature((TensorSpec("x", "FP32", (3,)),), (TensorSpec("y", "FP32", (3,)),))


def held(worker) -> bool:
    return bool(worker.value("penstock_failure_cap") == 1.0)


async def test_what_waits_stays_in_kafka_until_a_version_serves_that_can(lane, inside_worker):
    async with inside_worker(**{**SMALL, **CAP, "worker__failure_cap_retry_s": 60}) as worker:
        sent = await lane.send([(number % 8, b"key", BAD, ()) for number in range(1000)])
        await until(lambda: held(worker), what="the cap")
        await lane.read(enough=50)
        assert "requests of doubler failed" in worker.worker.not_ready
        assert worker.value("penstock_failure_cap_trips_total") == 1
        answered = worker.value("penstock_requests_total")
        assert 50 <= answered < 500

        mended = CallableModel("doubler", "2", lambda inputs: {"y": inputs["x"] * np.float32(2)}, SIGNATURE)
        worker._table.add(mended)
        replies = await lane.read(enough=1000)
        assert worker.worker.not_ready is None
        assert not held(worker)

    assert len({source_of(reply) for reply in replies}) == len(replies) == len(sent)
    wrong = sum("penstock-error" in dict(reply.headers) for reply in replies)
    assert 50 <= wrong < 500


async def test_it_goes_on_by_itself_when_requests_succeed_again(lane, inside_worker):
    async with inside_worker(**SMALL, **CAP) as worker:
        await lane.send([(3, b"key", BAD, ()) for _ in range(150)])
        await until(lambda: held(worker), what="the cap")
        await lane.send([(3, b"key", GOOD, ()) for _ in range(100)])
        replies = by_source(await lane.read(enough=250))
        await until(lambda: not held(worker), what="the end of it")
    assert {len(each) for each in replies.values()} == {1}


async def test_without_the_cap_every_request_is_answered_at_once(lane, inside_worker):
    async with inside_worker(**SMALL, **CAP, worker__failure_cap_ratio=0) as worker:
        await lane.send([(3, b"key", BAD, ()) for _ in range(200)])
        await lane.read(enough=200)
        assert worker.worker.not_ready is None


async def test_what_clients_do_wrong_stops_nobody(lane, inside_worker):
    wrong = [(3, b"key", b"{", ()), (3, b"key", GOOD, [("penstock-reply-topic", b"elsewhere")])]
    async with inside_worker(**SMALL, **CAP) as worker:
        await lane.send(wrong * 150)
        await lane.read(enough=150)
        await lane.read(lane.dead_letters, enough=150, partitions=1)
        assert worker.worker.not_ready is None
        assert worker.value("penstock_failure_cap_trips_total") == 0
