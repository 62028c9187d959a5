"""Many calls at once for a plain loop. Futures stand for calls, and the test ends them."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from penstock.producer.look_ahead import look_ahead
from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError, RequestTimeout, ServiceError


class Calls:
    """Starts calls; `end` answers them, or fails those whose input is an error."""

    def __init__(self) -> None:
        self.futures: list[Future[Prediction]] = []
        self.inputs: list[Any] = []

    def submit(self, index: int, item: Any) -> "Future[Prediction]":
        if isinstance(item, ValueError):
            raise item
        self.inputs.append(item)
        self.futures.append(Future())
        return self.futures[-1]

    def wait(self, call: "Future[Prediction]") -> Prediction:
        index = self.futures.index(call)
        if not call.done():
            self.end(index)
        return call.result(timeout=0)

    def end(self, index: int) -> None:
        item = self.inputs[index]
        if isinstance(item, PenstockError):
            self.futures[index].set_exception(item)
        else:
            self.futures[index].set_result(Prediction("m", "1", {}, str(index), "", -1, index))

    @property
    def open(self) -> list[int]:
        return [index for index, future in enumerate(self.futures) if not future.done()]

    def ahead(
        self, inputs: Any, *, ordered: bool = True, most: int = 3, return_errors: bool = False, limit_s: float = 5.0
    ) -> Generator[Any, None, None]:
        return look_ahead(
            inputs, self.submit, self.wait,
            ordered=ordered, max_in_flight=most, limit_s=limit_s, return_errors=return_errors,
        )  # fmt: skip


def test_answers_come_in_the_order_of_the_inputs() -> None:
    calls = Calls()
    assert [answer.index for answer in calls.ahead(range(10))] == list(range(10))


def test_no_more_inputs_are_taken_than_the_bound_says() -> None:
    calls, taken = Calls(), 0

    def inputs() -> Iterator[int]:
        nonlocal taken
        for number in range(10):
            taken += 1
            yield number

    answers = calls.ahead(inputs())
    for yielded in range(1, 8):
        next(answers)
        assert taken - yielded < 3


def test_an_answer_that_is_there_is_yielded_before_the_next_input_is_asked_for() -> None:
    calls = Calls()

    def inputs() -> Iterator[int]:
        yield 0
        calls.end(0)
        yield 1
        raise AssertionError("the first answer was there")

    assert next(calls.ahead(inputs(), most=100)).index == 0


def test_without_order_answers_come_as_they_end() -> None:
    calls = Calls()

    def inputs() -> Iterator[int]:
        yield 0
        yield 1
        calls.end(1)
        yield 2
        raise AssertionError("the second answer was there")

    assert next(calls.ahead(inputs(), ordered=False, most=100)).index == 1


def test_without_order_calls_that_never_end_are_not_waited_for_for_ever() -> None:
    calls = Calls()
    with pytest.raises(RequestTimeout, match=r"has not answered within 0\.05 s"):
        list(calls.ahead(range(2), ordered=False, return_errors=True, limit_s=0.05))
    assert calls.open == []


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_is_raised_and_the_other_calls_are_given_up(ordered: bool) -> None:
    calls = Calls()

    def inputs() -> Iterator[object]:
        yield ServiceError("MODEL_FAILED", "no")
        yield 1
        calls.end(0)
        yield 2

    with pytest.raises(ServiceError):
        list(calls.ahead(inputs(), ordered=ordered, most=100))

    assert calls.open == []
    assert [future.cancelled() for future in calls.futures] == [False, True, True]


def test_an_error_takes_the_place_of_its_answer_where_that_is_wanted() -> None:
    calls = Calls()
    answers = list(calls.ahead([0, ServiceError("MODEL_FAILED", "no"), 2], return_errors=True))
    assert [type(answer) for answer in answers] == [Prediction, ServiceError, Prediction]


@pytest.mark.parametrize("ordered", [True, False])
def test_an_input_that_cannot_be_sent_is_raised_even_where_errors_are_wanted(ordered: bool) -> None:
    calls = Calls()
    with pytest.raises(ValueError, match="no rows"):
        list(calls.ahead([0, 1, ValueError("no rows")], ordered=ordered, return_errors=True))
    assert calls.open == []


@pytest.mark.parametrize("ordered", [True, False])
def test_whoever_stops_iterating_gives_the_calls_up(ordered: bool) -> None:
    calls = Calls()

    def inputs() -> Iterator[int]:
        yield 0
        yield 1
        calls.end(0)
        yield 2

    answers = calls.ahead(inputs(), ordered=ordered, most=100)
    next(answers)
    answers.close()

    assert [future.cancelled() for future in calls.futures] == [False, True, True]


def test_no_inputs_are_no_answers() -> None:
    assert list(Calls().ahead([])) == []
