"""`penstock deadletters`, against the real broker."""

import asyncio
import json
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from penstock.schemas.errors import ErrorCode, RequestError
from tests.support.command import COMMAND, Ran, environment, penstock
from tests.support.dead_letters import bury, sent_again
from tests.support.lane import Lane
from tests.support.messages import infer
from tests.support.waiting import until

UNKNOWN = RequestError(ErrorCode.REPLY_UNKNOWN, "the reply topic does not exist")
POISON = RequestError(ErrorCode.POISON, "the request kills the process that runs the model")
THREE = [infer([number, 0, 0]) for number in range(3)]

Calling = Callable[..., Coroutine[Any, Any, Ran]]


def variables(lane: Lane) -> dict[str, str]:
    return {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": lane.bootstrap,
        "PENSTOCK_WORKER__REQUEST_TOPICS": lane.requests,
        "PENSTOCK_WORKER__GROUP_ID": lane.group,
        "TZ": "UTC",
    }


@pytest.fixture
def call(lane: Lane) -> Calling:
    """Run `penstock deadletters` on the test's lane."""

    async def called(*arguments: object) -> Ran:
        return await asyncio.to_thread(penstock, "deadletters", *arguments, variables=variables(lane))

    return called


async def test_where_nothing_was_given_up_there_is_nothing_to_see_or_send(call: Calling, lane: Lane) -> None:
    assert await call("list") == Ran(0, "No dead letters.\n", "")
    assert await call("redrive") == Ran(0, "0 dead letters sent again.\n", "")
    assert lane.dead_letters not in await lane.topics()


async def test_letters_are_listed_by_fault_and_one_by_one(call: Calling, lane: Lane) -> None:
    letters = await bury(lane, THREE)
    letters += await bury(lane, THREE[:1], error=UNKNOWN, with_payload=False)

    said = await call("list")
    assert said.status == 0
    forbidden = said.out.partition("\n\n")[2].splitlines()  # what happened last stands in front
    assert forbidden[0] == "REPLY_FORBIDDEN: the request's reply topic is not among those allowed"
    assert forbidden[1].startswith("  3 dead letters; digest ")
    assert forbidden[2].endswith(f"newest {lane.dead_letters}/0/{letters[2]}")

    groups = json.loads((await call("list", "--json")).out)["groups"]
    assert [(each["reason"], each["count"], each["redriven"]) for each in groups] == [
        ("REPLY_UNKNOWN", 1, 0), ("REPLY_FORBIDDEN", 3, 0)
    ]  # fmt: skip
    found = json.loads((await call("list", "--each", "--json", "--limit", 2)).out)["dead_letters"]
    assert [each["at"] for each in found] == [f"{lane.dead_letters}/0/{offset}" for offset in letters[-2:]]
    assert [each["payload"] for each in found] == [True, False]


async def test_a_letter_is_shown_with_all_that_it_holds(call: Calling, lane: Lane) -> None:
    text, other = await bury(lane, [THREE[1], b"\x00\xff" * 40])
    said = await call("show", f"{lane.dead_letters}/0/{text}")
    assert said.status == 0
    for line in (
        f"dead letter  {lane.dead_letters}/0/{text}, not sent again",
        "reason       REPLY_FORBIDDEN",
        f"request      {lane.requests}/3/0, ",
        "attempts     1",
        "key          key",
        "  penstock-reply-topic: elsewhere",
        THREE[1].decode(),
    ):
        assert line in said.out
    shown = json.loads((await call("show", f"{lane.dead_letters}/0/{other}", "--bytes", 2, "--json")).out)
    assert shown["value"] == {"hex": "00ff", "bytes": 80}
    assert shown["key"] == {"text": "key"}


async def test_a_place_without_a_letter_is_said(call: Calling) -> None:
    said = await call("show", "no-such-topic/0/1")
    assert said.status == 1
    assert said.lines[0] == "penstock: there is no dead letter of Penstock's at no-such-topic/0/1."


@pytest.mark.parametrize("arguments", [("show", "nothing"), ("list", "--since", "soon")], ids=lambda given: given[0])
async def test_what_cannot_be_meant_is_wrong_usage(call: Calling, arguments: tuple[str, ...]) -> None:
    said = await call(*arguments)
    assert said.status == 2
    assert repr(arguments[-1]) in said.err


async def test_letters_are_sent_again_once_and_the_list_says_so(call: Calling, lane: Lane) -> None:
    await bury(lane, THREE)
    await bury(lane, THREE[:1], error=UNKNOWN)

    trial = await call("redrive", "--dry-run", "--reason", "reply_forbidden")
    assert trial.out.endswith("3 dead letters would be sent again, at 100 a second.\n")
    assert await sent_again(lane) == {}

    assert (await call("redrive", "--reason", "REPLY_FORBIDDEN", "--limit", 2)).out == "2 dead letters sent again.\n"
    assert json.loads((await call("redrive", "--json")).out) == {"sent": 2, "already": 0, "not_sent": []}
    found = await sent_again(lane)
    assert len(found) == 4
    assert all(len(records) == 1 for records in found.values())
    assert "3 dead letters, 3 sent again" in (await call("list")).out


async def test_what_cannot_be_sent_is_said_and_fails(call: Calling, lane: Lane) -> None:
    (letter,) = await bury(lane, THREE[:1], with_payload=False, offset=99)
    said = await call("redrive")
    assert said.status == 1
    assert said.out.splitlines() == [
        "0 dead letters sent again.",
        f"Not sent: the dead letter has no payload, and {lane.requests}/3/99 is no longer there",
        f"  {lane.dead_letters}/0/{letter}",
    ]


async def test_what_has_killed_workers_is_sent_only_when_it_is_asked_for(call: Calling, lane: Lane) -> None:
    await bury(lane, THREE[:1], error=POISON)
    said = await call("redrive")
    assert said.out == "0 dead letters sent again.\n"
    assert "--reason POISON" in said.err
    assert await sent_again(lane) == {}


async def test_many_are_sent_only_on_demand(call: Calling, lane: Lane) -> None:
    await bury(lane, [infer([1, 0, 0])] * 101)
    said = await call("redrive")
    assert said.status == 2
    assert "101 dead letters would be sent again: say --yes, or --limit" in said.err
    assert await sent_again(lane) == {}


async def test_a_redrive_that_was_killed_is_finished_by_the_next(call: Calling, lane: Lane, tmp_path: Path) -> None:
    letters = await bury(lane, [infer([number, 0, 0]) for number in range(20)])
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "deadletters",
        "redrive",
        "--rate",
        "4",
        env=environment(variables(lane)),
        cwd=tmp_path,
        stdout=DEVNULL,
    )
    await until(lambda: _begun(lane), what="the first ones")
    process.kill()
    await process.wait()

    assert len(await sent_again(lane, settled=False)) < len(letters)
    assert (await call("redrive", "--rate", 1000)).status == 0
    found = await sent_again(lane)
    assert sorted(found) == sorted(f"{lane.dead_letters}/0/{offset}" for offset in letters)
    assert all(len(records) == 1 for records in found.values())


async def _begun(lane: Lane) -> bool:
    return len(await sent_again(lane, settled=False)) >= 3
