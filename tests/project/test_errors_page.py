"""docs/errors.md: every code is there, and every example on it is answered as the page says."""

import asyncio
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest

from penstock.schemas.errors import RETRYABLE, ErrorCode, PenstockError, ServiceError
from penstock.schemas.replies import read_reply
from tests.support.lane import Lane, new_lane
from tests.support.messages import by_source, headers_of
from tests.support.pages import ROOT, Page
from tests.support.worker_inside import InsideWorker

PAGE = Page("docs/errors.md")
CODES = {heading: text for heading, text in PAGE.sections(3).items() if heading.isupper()}
ROWS = {re.sub(r"\[(.*)\].*", r"\1", row[0]): row[1:] for row in PAGE.table("The codes")}
DEAD = {code for code, (where, *_) in ROWS.items() if where == "dead letter"}
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")  # what the example of BAD_OUTPUT is about
# A command, a megabyte of reply, bytes that no client writes, a row that kills a process, a model that is away.
WITHOUT_EXAMPLE = {"THROTTLED", "REPLY_TOO_LARGE", "UNREADABLE", "POISON", "UNAVAILABLE"}


@dataclass(frozen=True)
class Example:
    """A request of the page, and what the page says becomes of it."""

    code: str
    headers: list[tuple[str, bytes]]
    value: bytes
    outcome: str


def example_of(code: str) -> Example:
    said = re.search(r"^With the headers? (.*)", CODES[code], re.MULTILINE)
    pairs = re.findall(r"`([\w-]+): ([^`]+)`", said[1]) if said else []
    sent, outcome = (block.text for block in PAGE.blocks("json", "text") if block.section == code)
    return Example(code, [(name, value.encode()) for name, value in pairs], sent.rstrip("\n").encode(), outcome)


EXAMPLES = [example_of(code) for code in CODES if code not in WITHOUT_EXAMPLE]


@dataclass(frozen=True)
class Outcomes:
    """What became of the examples, by code."""

    lane: Lane
    replies: dict[str, Any]
    dead: dict[str, Any]


@pytest.fixture(scope="module")
async def outcomes(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Send every example to a worker that serves the model of the page, set up as the page says."""
    lane = await new_lane(bootstrap, "errors-page")
    models = tmp_path_factory.mktemp("models")
    (models / "doubler" / "1").mkdir(parents=True)
    model = next(block for block in PAGE.blocks("python") if block.section == "The codes")
    (models / "doubler" / "1" / "model.py").write_text(model.text)
    async with InsideWorker(lane, models, worker__allowed_reply_topics="replies-*"):
        sent = await lane.send([(0, None, each.value, each.headers) for each in EXAMPLES])
        replies = by_source(await lane.read(enough=len(EXAMPLES) - len(DEAD - WITHOUT_EXAMPLE)))
        letters = await lane.read(lane.dead_letters, enough=len(DEAD - WITHOUT_EXAMPLE), partitions=1)
        dead = by_source(letters)
    codes = {f"{each.topic}/{each.partition}/{each.offset}": e.code for each, e in zip(sent, EXAMPLES, strict=True)}
    return Outcomes(
        lane,
        {code: replies[source][0] for source, code in codes.items() if source in replies},
        {code: dead[source][0] for source, code in codes.items() if source in dead},
    )


def test_every_code_has_a_section_and_a_row_and_no_other_is_there() -> None:
    assert list(CODES) == list(ErrorCode)
    assert list(ROWS) == list(ErrorCode)


def test_retry_marks_agree_with_the_code() -> None:
    assert {code for code, (_, retry, _) in ROWS.items() if retry == "yes"} == set(RETRYABLE)
    assert {retry for _, retry, _ in ROWS.values()} == {"yes", "no"}


def test_every_section_says_who_can_do_what() -> None:
    assert [code for code, text in CODES.items() if not re.search(r"^- \*\*(Client|Operator):\*\*", text, re.M)] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.code)
async def test_example_is_answered_as_the_page_says(example: Example, outcomes: Outcomes) -> None:
    if example.code in DEAD:
        assert example.code not in outcomes.replies
        headers = headers_of(outcomes.dead[example.code])
        said = dict(line.split(": ", 1) for line in example.outcome.splitlines())
        assert {name: headers[name].decode() for name in said} == said
    else:
        assert example.code not in outcomes.dead
        assert orjson.loads(outcomes.replies[example.code].value) == orjson.loads(example.outcome)


def test_every_exception_that_is_listed_can_be_imported() -> None:
    for name, *_ in PAGE.table("Exceptions of the client"):
        assert issubclass(getattr(import_module("penstock"), name.strip("`")), PenstockError)


async def test_headers_of_an_error_reply_are_those_that_the_page_names(outcomes: Outcomes) -> None:
    lead = PAGE.sections(2)["What an error reply looks like"]
    assert {f"`{name}`" for name in headers_of(outcomes.replies["BAD_SHAPE"])} - {"`content-type`"} <= set(
        re.findall(r"`[\w-]+`", lead)
    )
    (shown,) = (block for block in PAGE.blocks("json") if block.section == "What an error reply looks like")
    with pytest.raises(ServiceError, match="BAD_SHAPE"):
        read_reply(shown.text.encode())
    assert set(orjson.loads(shown.text)) == {row[0].strip("`") for row in PAGE.table(shown.section)}


async def test_headers_of_a_dead_letter_are_those_that_the_page_names(outcomes: Outcomes) -> None:
    added = set(headers_of(outcomes.dead["REPLY_UNKNOWN"])) - {"penstock-reply-topic"}
    added.add("penstock-dlt-model")  # the example names none
    assert {row[0].strip("`") for row in PAGE.table("Dead letters")} == added


async def test_program_of_the_page_sends_dead_letters_again(outcomes: Outcomes, tmp_path: Path) -> None:
    lane = outcomes.lane
    (block,) = (block for block in PAGE.blocks("python") if block.section == "Send them again")
    program = tmp_path / "again.py"
    program.write_text(block.text.replace("localhost:9092", lane.bootstrap).replace("requests-dlt", lane.dead_letters))
    before = sum((await lane.ends()).values())

    async def run(*arguments: str) -> list[str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, program, *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0
        return out.decode().splitlines()

    listed = await run()
    assert {line.split()[1] for line in listed} == DEAD - WITHOUT_EXAMPLE
    assert sum((await lane.ends()).values()) == before
    assert await run("send") == listed
    assert sum((await lane.ends()).values()) == before + len(listed)
    again = (await lane.read(lane.requests, enough=before + len(listed)))[-1]
    assert not any(name.startswith(("kafka_dlt-", "penstock-reason", "penstock-source")) for name, _ in again.headers)
