"""What a call returns."""

import numpy as np
import pytest

from penstock.producer.prediction import Prediction, read_prediction
from penstock.schemas.errors import ErrorCode, RequestError, ServiceError, TransportError
from penstock.schemas.replies import BatchEncoder, encode_error

VALUE = BatchEncoder("iris", "2", {"y": np.array([[1.5, 2.0]], np.float32)}).encode(0, 1, None)


def read(value: bytes = VALUE, **headers: bytes | None) -> Prediction:
    return read_prediction(value, {f"penstock-{name}": each for name, each in headers.items()}, b"abc-1", 7)


def test_a_prediction_says_what_ran_on_what_and_under_which_command() -> None:
    prediction = read(source=b"requests/3/9", epoch=b"12")
    assert (prediction.model, prediction.version) == ("iris", "2")
    assert (prediction.id, prediction.source, prediction.epoch, prediction.index) == ("abc-1", "requests/3/9", 12, 7)
    assert prediction["y"].tolist() == [[1.5, 2.0]]
    assert prediction["y"].dtype == np.float32
    with pytest.raises(KeyError):
        prediction["z"]


def test_a_reply_without_provenance_is_still_a_reply() -> None:
    assert (read().source, read().epoch) == ("", -1)


@pytest.mark.parametrize("odd", [None, b"", b"x", b"\xff", b"1.5"])
def test_headers_that_make_no_sense_do_not_lose_the_answer(odd: bytes | None) -> None:
    prediction = read(source=odd, epoch=odd)
    assert prediction.epoch == -1
    assert prediction["y"].tolist() == [[1.5, 2.0]]


def test_an_error_reply_is_raised() -> None:
    with pytest.raises(ServiceError, match="BAD_VALUE: no"):
        read(encode_error(RequestError(ErrorCode.BAD_VALUE, "no"), None))


@pytest.mark.parametrize(("told", "after_s"), [(b"1500", 1.5), (None, None), (b"soon", None)])
def test_an_error_reply_tells_when_to_come_back_if_its_header_does(told: bytes | None, after_s: float | None) -> None:
    value = encode_error(RequestError(ErrorCode.THROTTLED, "over the rate"), None)
    with pytest.raises(ServiceError, match="THROTTLED") as caught:
        read(value, **{"retry-after-ms": told})
    assert (caught.value.retryable, caught.value.retry_after_s) == (True, after_s)


@pytest.mark.parametrize("value", [b"", b"{}", b'"an error"', b"[]", b"\xff", None])
def test_what_is_no_reply_is_an_error_of_the_transport(value: bytes) -> None:
    with pytest.raises(TransportError, match="not a reply"):
        read(value)


def test_repr_shows_what_ran_and_the_answer() -> None:
    assert repr(read(source=b"t/0/1", epoch=b"3")) == "<Prediction of iris@2: y=[[1.5, 2. ]]>"


def test_repr_of_a_large_answer_is_short() -> None:
    outputs = {"y": np.zeros((1000, 1000), np.float32), "name": np.array(["a"] * 1000, object)}
    text = repr(Prediction("iris", "2", outputs, id="a", source="t/0/1", epoch=-1))
    assert len(text) < 200
    assert "\n" not in text
