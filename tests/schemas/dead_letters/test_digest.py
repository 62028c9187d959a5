"""Digests: equal for equal faults, and never a word of the data."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.schemas.dead_letters.digest import digest_of, keep_frames
from penstock.schemas.errors import ErrorCode, ModelError, RequestError, without_frames


def divide(rows: list[int]) -> float:
    return rows[0] / rows[1]


def look_up(rows: list[int]) -> int:
    return rows[7]


def deeper(call: Callable[..., Any], rows: list[int]) -> Any:
    return call(rows)


def raised(call: Callable[..., Any], *arguments: Any) -> BaseException:
    try:
        call(*arguments)
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


def failed(error: BaseException) -> ModelError:
    """As the engine makes it of what a model raised."""
    keep_frames(error)
    failure = ModelError(f"{type(error).__name__} while running")
    failure.__cause__ = without_frames(error)
    return failure


def test_equal_faults_have_one_digest_whatever_the_data_was() -> None:
    one, other = raised(int, "4111 1111"), raised(int, "a secret")
    assert str(one) != str(other)
    assert digest_of(one) == digest_of(other)
    assert len(digest_of(one)) == 16
    assert set(digest_of(one)) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "other",
    [(look_up, [1]), (divide, [1]), (deeper, divide, [1, 0])],
    ids=["another function", "another type", "another way"],
)
def test_other_faults_have_others(other: tuple[Any, ...]) -> None:
    assert digest_of(raised(divide, [1, 0])) != digest_of(raised(*other))


def test_frames_outlive_the_traceback() -> None:
    whole = raised(deeper, divide, [1, 0])
    digest = digest_of(whole)
    keep_frames(whole)
    assert without_frames(whole).__traceback__ is None
    assert digest_of(whole) == digest


def test_the_cause_counts_too() -> None:
    assert digest_of(failed(raised(divide, [1, 0]))) == digest_of(failed(raised(divide, [3, 0])))
    assert digest_of(failed(raised(divide, [1, 0]))) != digest_of(failed(raised(deeper, divide, [1, 0])))


def test_codes_tell_requests_apart_that_no_exception_was_raised_for() -> None:
    errors = [RequestError(code, "text") for code in ErrorCode]
    assert len({digest_of(error) for error in errors}) == len(errors)
    assert digest_of(RequestError(ErrorCode.BAD_VALUE, "other text")) == digest_of(
        RequestError(ErrorCode.BAD_VALUE, "text")
    )


def test_a_ring_of_causes_and_endless_recursion_come_to_an_end() -> None:
    def endless() -> None:
        endless()

    ring = ValueError()
    ring.__cause__ = ring
    assert len(digest_of(ring)) == len(digest_of(raised(endless))) == 16


def test_digest_is_the_same_in_every_process() -> None:
    assert digest_of(RequestError(ErrorCode.REPLY_FORBIDDEN, "any")) == "63fa25fdad76e97b"
