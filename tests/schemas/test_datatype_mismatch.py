"""What a service says to numbers of another datatype, and what a client learns from it."""

import pytest

from penstock.schemas.datatype_mismatch import mismatch, read_mismatch


@pytest.mark.parametrize("name", ["x", "", "two words", "a; the request"])
def test_client_reads_what_the_service_says(name: str) -> None:
    assert read_mismatch(mismatch(name, "INT64", "FP32")) == (name, "INT64")


@pytest.mark.parametrize(
    "message", ["", "input 'x' is missing; the model takes ['y']", "input 'x' is FP32; a number does not fit it"]
)
def test_other_messages_teach_nothing(message: str) -> None:
    assert read_mismatch(message) is None
