"""Many calls at once: bounded, in order or as they come, and cleaned up."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from penstock.producer.many import Inputs, gather
from penstock.producer.prediction import Prediction
from penstock.schemas.errors import ClientClosed, PenstockError, RequestTimeout, ServiceError

Answers = list[Prediction | PenstockError]


def prediction(index: int) -> Prediction:
    return Prediction("m", "1", {}, str(index), "", -1, index)


class Service:
    """Answers calls when it is told to, and counts those in flight."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Prediction]] = []
        self.most = 0
        self.yielded = 0
        self._submitted = asyncio.Event()

    async def submit(self, index: int, item: Any) -> "asyncio.Future[Prediction]":
        if isinstance(item, Exception):
            raise item
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        self.most = max(self.most, len(self.futures) - self.yielded)
        self._submitted.set()
        return future

    async def reached(self, count: int) -> None:
        while len(self.futures) < count:
            self._submitted.clear()
            await self._submitted.wait()

    def answer(self, index: int) -> None:
        self.futures[index].set_result(prediction(index))

    async def answer_all(self) -> None:
        """Answer whatever comes, always the latest first."""
        while True:
            for index in reversed(range(len(self.futures))):
                if not self.futures[index].done():
                    self.answer(index)
            await asyncio.sleep(0)


async def collected(service: Service, inputs: Inputs, *, ordered: bool = True, max_in_flight: int = 3) -> Answers:
    answering = asyncio.create_task(service.answer_all())
    try:
        found: Answers = []
        async for answer in gather(inputs, service.submit, ordered=ordered, max_in_flight=max_in_flight):
            service.yielded += 1
            found.append(answer)
        return found
    finally:
        answering.cancel()


def indices(answers: Iterable[Prediction | PenstockError]) -> list[int | None]:
    return [answer.index for answer in answers if isinstance(answer, Prediction)]


async def streamed(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("max_in_flight", [1, 2, 5, 100])
async def test_every_input_is_answered_once_within_the_bound(ordered: bool, max_in_flight: int) -> None:
    for inputs in (range(20), streamed(20)):
        service = Service()
        found = await collected(service, inputs, ordered=ordered, max_in_flight=max_in_flight)
        assert sorted(index for index in indices(found) if index is not None) == list(range(20))
        assert not ordered or indices(found) == list(range(20))
        assert service.most <= max_in_flight
        assert isinstance(inputs, AsyncIterator) or service.most == min(max_in_flight, 20)


async def test_unordered_answers_come_as_they_end() -> None:
    service = Service()
    answers = gather(range(3), service.submit, ordered=False, max_in_flight=3)
    first = asyncio.ensure_future(anext(answers))
    await service.reached(3)
    service.answer(2)
    assert indices([await first]) == [2]
    service.answer(0)
    assert indices([await anext(answers)]) == [0]
    service.answer(1)
    assert indices([answer async for answer in answers]) == [1]


async def test_no_inputs_no_answers() -> None:
    assert await collected(Service(), []) == []


@pytest.mark.parametrize("ordered", [True, False])
async def test_errors_of_the_service_take_the_place_of_answers(ordered: bool) -> None:
    service = Service()
    answers = gather(range(2), service.submit, ordered=ordered, max_in_flight=2)
    first = asyncio.ensure_future(anext(answers))
    await service.reached(2)
    service.futures[0].set_exception(ServiceError("BAD_VALUE", "no"))
    assert isinstance(await first, ServiceError)
    service.answer(1)
    assert indices([await anext(answers)]) == [1]


async def test_a_call_that_found_no_room_in_time_has_failed_like_any_other() -> None:
    found = await collected(Service(), [0, RequestTimeout("full"), 2])
    assert [type(answer) for answer in found] == [Prediction, RequestTimeout, Prediction]


@pytest.mark.parametrize("error", [ValueError("ragged"), ClientClosed("closed")])
@pytest.mark.parametrize("ordered", [True, False])
async def test_an_input_that_cannot_be_sent_ends_it_and_cancels_the_rest(ordered: bool, error: Exception) -> None:
    service = Service()
    answers = gather([0, 1, error, 3], service.submit, ordered=ordered, max_in_flight=10)
    with pytest.raises(type(error)):
        await anext(answers)
    assert [future.cancelled() for future in service.futures] == [True, True]


@pytest.mark.parametrize("ordered", [True, False])
async def test_whoever_stops_early_cancels_what_is_in_flight(ordered: bool) -> None:
    service = Service()
    answers = gather(range(100), service.submit, ordered=ordered, max_in_flight=4)
    first = asyncio.ensure_future(anext(answers))
    await service.reached(4)
    service.answer(0)
    assert indices([await first]) == [0]
    await answers.aclose()
    assert len(service.futures) == 4
    assert [future.cancelled() for future in service.futures] == [False, True, True, True]


async def test_errors_that_nobody_waited_for_are_not_complained_about() -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        service = Service()
        answers = gather(range(3), service.submit, ordered=True, max_in_flight=3)
        first = asyncio.ensure_future(anext(answers))
        await service.reached(3)
        for future in service.futures:
            future.set_exception(RequestTimeout("late"))
        assert isinstance(await first, RequestTimeout)
        await answers.aclose()
        del service, answers, first, future
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert complaints == []


async def test_inputs_are_taken_no_further_than_the_bound() -> None:
    taken: list[int] = []

    def endless() -> Iterable[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    service = Service()
    answers = gather(endless(), service.submit, ordered=True, max_in_flight=3)
    first = asyncio.ensure_future(anext(answers))
    await service.reached(1)
    service.answer(0)
    await first
    assert taken == [0, 1, 2]
    await answers.aclose()


async def test_a_bound_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        await anext(gather([], Service().submit, ordered=True, max_in_flight=0))


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_slow_source_holds_no_answer_back(ordered: bool) -> None:
    more = asyncio.Event()

    async def slow() -> AsyncIterator[int]:
        yield 0
        await more.wait()
        yield 1

    service = Service()
    answers = gather(slow(), service.submit, ordered=ordered, max_in_flight=10)
    first = asyncio.ensure_future(anext(answers))
    await service.reached(1)
    service.answer(0)
    assert indices([await asyncio.wait_for(first, 5)]) == [0]
    more.set()
    second = asyncio.ensure_future(anext(answers))
    await service.reached(2)
    service.answer(1)
    assert indices([await asyncio.wait_for(second, 5)]) == [1]
    assert [answer async for answer in answers] == []
