"""What clients do while the broker stands still."""

import asyncio
from typing import Any

import pytest

from penstock import Client, ClientClosed, RequestTimeout, TransportError
from penstock.producer.sender import RequestSender
from penstock.transport.group import leave_for
from penstock.transport.publisher import RecordPublisher
from tests.support.frozen.bounds import CLOSE_S, ONE_CLIENT_S, TOPICS_S, WHY_S, default
from tests.support.frozen.scene import REQUEST_S, Scene

_CALL_S = 4.0
_LONG_S = 90.0


def client(scene: Scene, name: str, **options: Any) -> Client:
    """A client of the lane that a worker serves all the time."""
    lane = scene.lanes["served"]
    return Client(kafka=scene.kafka(name), request_topic=lane.requests, reply_topic=lane.replies, **options)


def row(number: int) -> list[list[float]]:
    return [[float(number), 0.0, 0.0]]


async def a_client_starts(scene: Scene) -> None:
    await scene.stand()
    started = await scene.ends(client(scene, "starts").start(), TOPICS_S + WHY_S + ONE_CLIENT_S)
    with pytest.raises(TransportError, match="no Kafka broker answers"):
        started.result()


async def a_client_looks_for_the_end_of_its_replies(scene: Scene) -> None:
    await scene.hurry()
    moment = scene.gate.arm("looks", "OffsetRequest")
    starting = asyncio.ensure_future(client(scene, "looks").start())
    await scene.stand(moment, work=starting)
    started = await scene.ends(starting, REQUEST_S + 2 * ONE_CLIENT_S, moment)
    with pytest.raises(TransportError, match=r"the end of .* could not be found"):
        started.result()


async def a_call_that_is_not_acknowledged(scene: Scene) -> None:
    async with client(scene, "unacknowledged") as caller:
        moment = scene.gate.arm("unacknowledged", "ProduceRequest")
        await scene.hurry()
        call = asyncio.ensure_future(caller.predict(None, row(1), timeout_s=_CALL_S))
        await scene.stand(moment, work=call)
        answered = await scene.ends(call, _CALL_S, moment)
        with pytest.raises(RequestTimeout, match="Kafka"):
            answered.result()


async def a_call_that_finds_no_room(scene: Scene) -> None:
    async with client(scene, "crowded", max_in_flight=1) as caller:
        moment = scene.gate.arm("crowded", "ProduceRequest")
        first = asyncio.ensure_future(caller.predict(None, row(2), timeout_s=_LONG_S))
        await scene.stand(moment, work=first)
        second = await scene.ends(caller.predict(None, row(3), timeout_s=_CALL_S), _CALL_S)
        with pytest.raises(RequestTimeout, match="no room"):
            second.result()
        assert (await scene.recovers(first, moment))["y"].tolist() == [[4.0, 0.0, 0.0]]


async def many_calls_in_the_middle(scene: Scene) -> None:
    async with client(scene, "many") as caller:
        found: list[float] = []
        moment = scene.gate.arm("many", "ProduceRequest", lambda _: len(found) >= 20)

        async def collect() -> None:
            rows = (row(number) for number in range(100))
            async for answer in caller.predict_many(None, rows, max_in_flight=10, timeout_s=_LONG_S):
                assert answer.index == len(found), "out of order"
                found.append(float(answer["y"][0][0]))

        collecting = asyncio.ensure_future(collect())
        await scene.stand(moment, work=collecting)
        await scene.recovers(collecting, moment)
    assert found == [2.0 * number for number in range(100)]


async def a_client_closes_with_a_call_in_flight(scene: Scene) -> None:
    caller = client(scene, "closes")
    await caller.start()
    moment = scene.gate.arm("closes", "ProduceRequest")
    call = asyncio.ensure_future(caller.predict(None, row(4), timeout_s=_LONG_S))
    await scene.stand(moment, work=call)
    (await scene.ends(caller.close(), CLOSE_S, moment)).result()
    with pytest.raises(ClientClosed):
        await call


async def a_blocking_client_waits_for_an_answer(scene: Scene) -> None:
    lane = scene.lanes["served"]
    caller = Client.sync(kafka=scene.kafka("blocking"), request_topic=lane.requests, reply_topic=lane.replies)
    await asyncio.to_thread(caller.start)
    try:
        await scene.stand()
        call = asyncio.to_thread(caller.predict, None, row(5), timeout_s=_CALL_S)
        answered = await scene.ends(call, _CALL_S)
        with pytest.raises(RequestTimeout):
            answered.result()
        (await scene.ends(asyncio.to_thread(caller.close), CLOSE_S)).result()
    finally:
        await asyncio.to_thread(caller.close)


async def a_sender_waits_for_the_acknowledgement(scene: Scene) -> None:
    lane = scene.lanes["served"]
    async with RequestSender(scene.kafka("sender"), lane.requests, timeout_s=_CALL_S) as sender:
        moment = scene.gate.arm("sender", "ProduceRequest")
        await scene.hurry()
        sending = asyncio.ensure_future(sender.send(None, row(6)))
        await scene.stand(moment, work=sending)
        sent = await scene.ends(sending, _CALL_S, moment)
        with pytest.raises(TransportError, match="Kafka"):
            sent.result()


async def a_publisher_makes_a_new_producer(scene: Scene) -> None:
    """A record that Kafka refuses costs the producer; what comes after the record must not be lost with it."""
    acked: list[Any] = []
    refused: list[Any] = []
    topic = scene.lanes["publisher"].requests
    publisher = RecordPublisher(
        scene.kafka("rebuilds").client_options(),
        on_acked=lambda tokens, _: acked.extend(tokens),
        on_refused=lambda token, _: refused.append(token),
        max_batch_bytes=3_000_000,
    )
    await publisher.start()
    publisher.add(topic, 0, [(None, b"first", (), 1, None)])
    assert await publisher.flush(10.0)
    moment = scene.gate.arm("rebuilds", "InitProducerIdRequest")
    publisher.add(topic, 0, [(None, bytes(2_000_000), (), 2, None), (None, b"last", (), 3, None)])
    flushing = asyncio.ensure_future(publisher.flush(_LONG_S))
    await scene.stand(moment, work=flushing)
    assert await scene.recovers(flushing, moment)
    assert (acked, refused) == ([1, 3], [2])
    await publisher.close(2.0)


async def a_supervisor_takes_a_dead_member_out(scene: Scene) -> None:
    lane = scene.lanes["served"]
    await scene.stand()
    leaving = leave_for(scene.kafka("supervisor").client_options(), lane.group, "nobody")
    left = await scene.ends(leaving, default(leave_for, "timeout_s") + 2 * ONE_CLIENT_S)
    with pytest.raises(TransportError, match="could not leave"):
        left.result()


OPERATIONS = (
    a_client_starts,
    a_client_looks_for_the_end_of_its_replies,
    a_call_that_is_not_acknowledged,
    a_call_that_finds_no_room,
    many_calls_in_the_middle,
    a_client_closes_with_a_call_in_flight,
    a_blocking_client_waits_for_an_answer,
    a_sender_waits_for_the_acknowledgement,
    a_publisher_makes_a_new_producer,
    a_supervisor_takes_a_dead_member_out,
)
