"""Coordinates as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.schemas.dead_letters.letter import Coordinates


@given(st.text("ab/.-_", min_size=1), st.integers(0, 10**6), st.integers(0, 10**17))
def test_coordinates_are_read_as_they_are_written(topic: str, partition: int, offset: int) -> None:
    assert Coordinates.parse(str(Coordinates(topic, partition, offset))) == (topic, partition, offset)


@pytest.mark.parametrize("text", ["", "x", "x/1", "/1/2", "x/1/", "x/-1/2", "x/1/two", "x/1/²", "x/1/" + "9" * 30])
def test_what_is_nothing_like_coordinates_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not TOPIC/PARTITION/OFFSET"):
        Coordinates.parse(text)
