"""How far a group is with what lies in partitions."""

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.transport.offsets import Lag, Listed, lags

FIRST, SECOND, THIRD = (TopicPartition("requests", number) for number in range(3))


@pytest.mark.parametrize(
    ("lag", "waiting"),
    [
        (Lag(0, 10, None), 10),
        (Lag(0, 10, 4), 6),
        (Lag(100, 150, 20), 50),
        (Lag(100, 150, None), 50),
        (Lag(0, 10, 50), 0),
        (Lag(0, 0, None), 0),
    ],
)
def test_what_waits_lies_between_the_commit_and_the_end_and_is_still_there(lag: Lag, waiting: int):
    assert lag.waiting == waiting


def test_lag_is_known_where_beginning_and_end_are():
    beginnings = {FIRST: Listed(100, -1), SECOND: Listed(0, -1)}
    ends = {FIRST: Listed(150, -1), SECOND: Listed(7, -1), THIRD: Listed(9, -1)}
    known = lags(beginnings, ends, {FIRST: OffsetAndMetadata(20, "")})
    assert known == {FIRST: Lag(100, 150, 20), SECOND: Lag(0, 7, None)}
