"""The client against a real worker, and without one."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from penstock import Client, ClientClosed, RequestTimeout, ServiceError, TransportError
from penstock.schemas.errors import ConfigurationError
from tests.support.damaged import batch_with_damaged_header_key, produce_raw
from tests.support.messages import headers_of
from tests.support.waiting import until


def client(lane, **settings) -> Client:
    return Client(lane.bootstrap, request_topic=lane.requests, reply_topic=lane.replies, **settings)


def row(number: float, delay_s: float = 0.0) -> list[list[float]]:
    return [[float(number), 0.0, delay_s]]


async def test_a_call_gets_its_answer_with_its_provenance(served):
    async with client(served.lane) as caller:
        answer = await caller.predict("scaler", np.array([[3.0], [4.0]], np.float32), version="1", key="k")

    assert answer["y"].tolist() == [[3.0], [4.0]]
    assert (answer.model, answer.version, answer.epoch) == ("scaler", "1", -1)
    assert answer.source.startswith(f"{served.lane.requests}/")


async def test_two_inputs_are_given_by_name(served):
    async with client(served.lane) as caller:
        answer = await caller.predict("joiner", {"a": np.array([[1, 2]], np.float32), "b": np.array([[5]], np.float32)})

    assert answer["sum"].tolist() == [[8.0]]


async def test_errors_of_the_service_carry_their_code(served):
    async with client(served.lane) as caller:
        with pytest.raises(ServiceError, match="no model 'nobody' here") as unknown:
            await caller.predict("nobody", row(1))
        with pytest.raises(ServiceError) as failed:
            await caller.predict("doubler", [[1.0, 666.0, 0.0]])

    assert (unknown.value.code, unknown.value.retryable) == ("UNKNOWN_MODEL", False)
    assert failed.value.code == "MODEL_FAILED"


async def test_without_a_worker_a_call_times_out_and_says_where_to_look(lane):
    async with client(lane) as caller:
        start = time.monotonic()
        with pytest.raises(RequestTimeout) as late:
            await caller.predict(None, row(1), timeout_s=1.0)

    assert 0.9 < time.monotonic() - start < 2.0
    assert f"the request is on topic {lane.requests}. Is a worker reading it" in str(late.value)
    assert f"answer to {lane.replies}?" in str(late.value)


async def test_closing_fails_the_calls_in_flight(lane):
    caller = client(lane)
    await caller.start()
    calls = [asyncio.create_task(caller.predict(None, row(number))) for number in range(10)]
    await until(lambda: "open=10" in repr(caller))

    await caller.close()

    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ClientClosed] * 10
    with pytest.raises(ClientClosed):
        await caller.predict(None, row(1))
    await caller.close()  # once more does no harm


async def test_two_clients_share_a_reply_partition(served):
    async with client(served.lane, reply_partition=3) as one, client(served.lane, reply_partition=3) as other:
        calls = [(one if number % 2 else other).predict(None, row(number)) for number in range(100)]
        answers = await asyncio.gather(*calls)

        assert [answer["y"][0][0] for answer in answers] == [2.0 * number for number in range(100)]
        assert one.doubles == other.doubles == 0


async def test_an_answer_that_comes_again_is_dropped(served):
    async with client(served.lane, reply_partition=1) as caller:
        answer = await caller.predict(None, row(21))
        found = await served.lane.read(
            enough=lambda all_: any(headers_of(each).get("penstock-id") == answer.id.encode() for each in all_)
        )
        (reply,) = [each for each in found if headers_of(each).get("penstock-id") == answer.id.encode()]
        async with served.lane.producer() as producer:
            headers = list(reply.headers)
            await producer.send_and_wait(served.lane.replies, reply.value, partition=1, headers=headers)

        await until(lambda: caller.doubles == 1)
        assert (await caller.predict(None, row(4)))["y"][0][0] == 8.0


async def test_five_thousand_calls_are_in_flight_together(served):
    async with client(served.lane) as caller:
        # While the first holds the model, the others gather.
        first = asyncio.create_task(caller.predict(None, row(0, delay_s=1.0)))
        calls = [asyncio.create_task(caller.predict(None, row(number))) for number in range(1, 5000)]
        await until(lambda: "open=5000" in repr(caller), every_s=0.0, within_s=5)

        answers = await asyncio.gather(first, *calls)

        assert [answer["y"][0][0] for answer in answers] == [2.0 * number for number in range(5000)]
        assert "open=0" in repr(caller)


async def test_calls_beyond_the_bound_wait_for_their_turn(served):
    async with client(served.lane, max_in_flight=10) as caller:
        calls = [asyncio.create_task(caller.predict(None, row(number))) for number in range(200)]
        most = 0
        while not all(call.done() for call in calls):
            most = max(most, int(repr(caller).partition("open=")[2].split()[0]))
            await asyncio.sleep(0)

        assert [call.result()["y"][0][0] for call in calls] == [2.0 * number for number in range(200)]
        assert 0 < most <= 10


async def test_a_cancelled_call_leaves_nothing_behind(served):
    async with client(served.lane) as caller:
        call = asyncio.create_task(caller.predict(None, row(1, delay_s=0.5)))
        await until(lambda: "open=1" in repr(caller), every_s=0.0)

        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        await until(lambda: "open=0" in repr(caller))
        await until(lambda: caller.doubles == 1)  # its answer came, and found nobody
        assert (await caller.predict(None, row(2)))["y"][0][0] == 4.0


async def test_many_calls_are_answered_in_order(served):
    async def inputs():
        for number in range(300):
            yield row(number)

    async with client(served.lane) as caller:
        answers: list[Any] = [answer async for answer in caller.predict_many(None, inputs(), max_in_flight=50)]

    assert [answer["y"][0][0] for answer in answers] == [2.0 * number for number in range(300)]
    assert [answer.index for answer in answers] == list(range(300))


async def test_many_calls_are_answered_as_they_come(served):
    async with client(served.lane) as caller:
        many = caller.predict_many(None, map(row, range(300)), ordered=False, max_in_flight=50)
        answers: list[Any] = [answer async for answer in many]

    assert sorted(answer.index for answer in answers) == list(range(300))
    assert all(answer["y"][0][0] == 2.0 * answer.index for answer in answers)


async def test_of_many_calls_one_that_fails_is_raised_or_given_in_its_place(served):
    inputs = [[[1.0, 666.0 if number == 5 else 0.0, 0.0]] for number in range(10)]
    async with client(served.lane) as caller:
        answers = [answer async for answer in caller.predict_many(None, inputs, return_errors=True)]
        with pytest.raises(ServiceError, match="MODEL_FAILED"):
            async for _ in caller.predict_many(None, inputs):
                pass
        await until(lambda: "open=0" in repr(caller))

    assert [type(answer) is ServiceError for answer in answers] == [number == 5 for number in range(10)]


async def test_a_missing_topic_is_told_at_start_and_not_made(lane):
    for missing in ({"request_topic": "absent-1"}, {"reply_topic": "absent-2"}):
        settings = {"request_topic": lane.requests, "reply_topic": lane.replies, **missing}
        with pytest.raises(TransportError, match=f"topic {next(iter(missing.values()))} does not exist on"):
            await Client(lane.bootstrap, **settings).start()
    with pytest.raises(TransportError, match="has no partition 8; it has 8"):
        await client(lane, reply_partition=8).start()

    assert not {"absent-1", "absent-2"} & await lane.topics()


async def test_a_broker_that_is_not_there_is_told_at_start():
    start = time.monotonic()
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:1\b"):
        await Client("127.0.0.1:1").start()

    assert time.monotonic() - start < 10


async def test_an_unreadable_record_among_the_replies_is_passed_over(lane, inside_worker):
    # A topic of its own: aiokafka's consumer, which reads the others here, cannot read it any more.
    async with inside_worker(), client(lane, reply_partition=5, timeout_s=15.0) as caller:
        assert (await caller.predict(None, row(1)))["y"][0][0] == 2.0
        for place in (0, 60, 119):
            batch = batch_with_damaged_header_key([b"{}"] * 120, place)
            calls = [asyncio.create_task(caller.predict(None, row(number))) for number in range(20)]
            await produce_raw(lane.bootstrap, lane.replies, 5, batch)
            answers = await asyncio.gather(*calls)
            answers += await asyncio.gather(*(caller.predict(None, row(number)) for number in range(20)))
            assert [answer["y"][0][0] for answer in answers] == [2.0 * number for number in range(20)] * 2
        assert caller.doubles == 0


async def test_what_is_no_reply_fails_its_call_and_not_the_next(lane):
    # Others may write to a reply topic too; a body that is no reply must not end the reading.
    bodies = (b"[1]", b'["error"]', b"null", None, b"1", b'{"outputs": [{}]}')
    async with client(lane, reply_partition=0) as caller, lane.producer() as producer:
        for count, body in enumerate(bodies, 1):
            call = asyncio.create_task(caller.predict(None, row(1), timeout_s=10))
            requests = await lane.read(lane.requests, enough=count)
            identity = max((headers_of(each)["penstock-id"] for each in requests), key=lambda name: name[17:])
            headers = [("penstock-id", identity), ("penstock-epoch", b"not a number")]
            await producer.send_and_wait(lane.replies, body, key=b"k", partition=0, headers=headers)
            with pytest.raises(TransportError) as failed:
                await call
            assert not isinstance(failed.value, RequestTimeout), body


async def test_closing_ends_callers_who_wait_for_room(lane):
    caller = client(lane, max_in_flight=2)
    await caller.start()
    calls = [asyncio.create_task(caller.predict(None, row(number), timeout_s=30)) for number in range(5)]
    await asyncio.sleep(0.1)
    start = time.monotonic()
    await caller.close()
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)

    assert [type(outcome) for outcome in outcomes] == [ClientClosed] * 5
    assert time.monotonic() - start < 5


async def test_a_client_is_started_once(lane):
    caller = client(lane)
    async with caller:
        with pytest.raises(ClientClosed, match="started once"):
            await caller.start()
    with pytest.raises(ClientClosed, match="started once"):
        await caller.start()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"key": 5}, TypeError, "a key is bytes or a string, not 5"),
        ({"version": 1}, TypeError, "version must be a string, not 1"),
        ({"timeout_s": 0}, ValueError, "positive number of seconds, not 0"),
        ({"timeout_s": float("inf")}, ValueError, "positive number of seconds, not inf"),
    ],
)
async def test_a_call_that_cannot_be_made_leaves_nothing_behind(served, options, error, says):
    async with client(served.lane) as caller:
        with pytest.raises(error, match=says):
            await caller.predict(None, row(1), **options)
        assert "open=0" in repr(caller)


def test_addresses_that_cannot_be_are_named_without_ceremony():
    with pytest.raises(ConfigurationError) as refused:
        Client("localhost")
    assert "localhost" in str(refused.value)
    assert "pydantic" not in str(refused.value)
    assert "\n" not in str(refused.value)
