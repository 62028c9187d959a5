"""The table of bad input, on a real broker: each row lies between two good requests, in one record batch.

Each gets the outcome that the row says, its offset is committed, the worker lives, and the neighbours are answered.
Rows of which the table of values and headers cannot tell: `test_records.py` (bytes that no client writes),
`test_policies.py` (what depends on settings), `test_commands.py` (the control topic).
"""

from itertools import count

import pytest

from tests.bad_input import envelopes, values
from tests.bad_input.desk import Desk
from tests.bad_input.rows import Answer, Request, Row, cases
from tests.support.lane import PARTITIONS

_partitions = count()


@cases([*values.ROWS, *envelopes.ROWS])
async def test_row(desk: Desk, row: Row) -> None:
    partition = next(_partitions) % PARTITIONS
    requests = [Request(key=b"before"), row.request, Request(key=b"after")]
    sources = await desk.send(requests, partition)
    await desk.have(sources, requests, [Answer(), row.outcome, Answer()])


@pytest.mark.parametrize("topic", ["{group}-private", "{group}-control", "{group}-status"])
async def test_nothing_is_ever_written_to_a_topic_that_is_not_for_replies(desk: Desk, topic: str) -> None:
    assert await desk.lane.ends(topic.format(group=desk.lane.group), partitions=1) == {0: 0}


async def test_no_topic_is_made_because_a_request_names_it(desk: Desk) -> None:
    assert f"{desk.lane.replies}-absent" not in await desk.lane.topics()


async def test_every_request_has_one_outcome_and_no_more(desk: Desk) -> None:
    assert {source: len(found) for source, found in desk.found.items() if len(found) > 1} == {}
