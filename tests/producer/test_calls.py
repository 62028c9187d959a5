"""The calls a client waits for."""

import asyncio

from penstock.producer.calls import Call, Calls
from penstock.producer.prediction import Prediction


def opened(calls: Calls, timer_s: float | None = None) -> tuple[bytes, Call]:
    loop = asyncio.get_running_loop()
    correlation, call = calls.open(loop.create_future())
    if timer_s is not None:
        call.timer = loop.call_later(timer_s, lambda: None)
    return correlation, call


def prediction() -> Prediction:
    return Prediction("m", "1", {}, "id", "t/0/0", -1)


async def test_every_call_has_an_id_of_its_own_and_of_this_client() -> None:
    calls, other = Calls(), Calls()
    ids = [opened(calls)[0] for _ in range(100)]
    assert len(set(ids)) == len(calls) == 100
    assert all(calls.is_ours(each) and not other.is_ours(each) for each in ids)
    assert not calls.is_ours(b"")


async def test_an_answer_closes_its_call_and_a_second_one_is_a_double() -> None:
    calls = Calls()
    correlation, call = opened(calls, timer_s=60)
    assert calls.get(correlation) is call
    assert calls.close(correlation) is call
    assert call.timer is not None
    assert call.timer.cancelled()
    assert calls.get(correlation) is None
    assert calls.doubles == 0
    assert calls.close(correlation) is None
    assert (calls.doubles, len(calls)) == (1, 0)


async def test_a_call_that_failed_is_over() -> None:
    calls = Calls()
    correlation, call = opened(calls, timer_s=60)
    error = ValueError("no")
    calls.fail(correlation, error)
    calls.fail(correlation, ValueError("too late"))
    assert call.future.exception() is error
    assert call.timer is not None
    assert call.timer.cancelled()
    assert calls.close(correlation) is None


async def test_failing_leaves_alone_what_has_ended_already() -> None:
    calls = Calls()
    answered, cancelled, waiting = (opened(calls) for _ in range(3))
    answered[1].future.set_result(prediction())
    cancelled[1].future.cancel()
    calls.fail(cancelled[0], ValueError("no"))
    calls.fail_all(lambda: ValueError("closed"))
    assert len(calls) == 0
    assert answered[1].future.result().model == "m"
    assert isinstance(waiting[1].future.exception(), ValueError)


async def test_each_call_gets_an_error_of_its_own() -> None:
    calls = Calls()
    futures = [opened(calls)[1].future for _ in range(2)]
    calls.fail_all(lambda: ValueError("closed"))
    assert futures[0].exception() is not futures[1].exception()


async def test_repr_shows_how_many_wait() -> None:
    calls = Calls()
    correlation, _ = opened(calls)
    calls.close(correlation)
    calls.close(correlation)
    opened(calls)
    assert repr(calls) == f"<Calls {calls.prefix.decode()} open=1 doubles=1>"
