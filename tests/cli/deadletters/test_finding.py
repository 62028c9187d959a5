"""Finding dead letters, against the real broker."""

import pytest

from penstock.cli.deadletters.finding import find, find_one
from penstock.cli.deadletters.selection import Selection
from penstock.consumer.settings import ToolSettings
from penstock.core.configuration import load
from penstock.schemas.dead_letters.letter import Coordinates
from tests.support.dead_letters import bury
from tests.support.lane import Lane
from tests.support.messages import infer

VALUE = infer([1, 2, 3])


def settings_of(lane: Lane) -> ToolSettings:
    variables = {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": lane.bootstrap,
        "PENSTOCK_WORKER__REQUEST_TOPICS": f"{lane.requests},{lane.requests}-other",
    }
    return load(ToolSettings, environ=variables)


async def test_a_letter_is_found_whole_at_its_place_and_nowhere_else(lane: Lane) -> None:
    first, second = await bury(lane, [VALUE, VALUE])
    found = await find_one(settings_of(lane), Coordinates(lane.dead_letters, 0, second))
    assert found is not None
    assert (found.letter.at.offset, found.letter.value, found.redriven) == (second, VALUE, False)
    for place in ((0, second + 1), (0, 10**9), (7, first)):
        assert await find_one(settings_of(lane), Coordinates(lane.dead_letters, *place)) is None


async def test_records_of_others_and_forged_marks_are_passed_over(lane: Lane) -> None:
    letters = await bury(lane, [VALUE, b'{"redriven":[[0,1]],"by":"a client"}'])
    async with lane.producer() as producer:
        await producer.send_and_wait(lane.dead_letters, b"from Spring", partition=0, headers=[("a", b"b")])
        await producer.send_and_wait(lane.dead_letters, b"{", partition=0, headers=[("penstock-redriven", b"1")])
    found = await find(settings_of(lane), Selection())
    assert [(each.letter.at.offset, each.redriven) for each in found] == [(offset, False) for offset in letters]
    assert all(each.letter.value is None for each in found)  # a list holds no payloads


@pytest.mark.parametrize("topic", ["no-such-topic", "with spaces"], ids=["missing", "illegal"])
async def test_a_topic_that_is_not_there_has_no_letter(lane: Lane, topic: str) -> None:
    assert await find_one(settings_of(lane), Coordinates(topic, 0, 0)) is None
    assert topic not in await lane.topics()
