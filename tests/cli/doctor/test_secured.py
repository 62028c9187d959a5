"""Examining services on a broker where users log in and ACLs are checked."""

import asyncio
import itertools
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from penstock.broker import EmbeddedKafka
from penstock.transport.problems import Problem
from penstock.transport.reach import reach
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import create_topics
from tests.support.command import penstock
from tests.support.examination import examined, settings_of
from tests.support.lane import Lane
from tests.support.worker_process import WorkerProcess, variables

USERS = {"nobody": "n", "half": "h", "worker": "w"}


@pytest.fixture(scope="module")
async def secured() -> AsyncIterator[EmbeddedKafka]:
    async with EmbeddedKafka(secure=True, users=USERS, heap_mb=256) as kafka:
        await create_topics(kafka.client_config(), {"requests": 4, "replies": 4, "requests-dlt": 1})
        await kafka.allow("half", "topic", "requests", ["describe"])
        await kafka.allow("half", "topic", "replies", ["write"])
        yield kafka


def lane_of(kafka: EmbeddedKafka) -> Lane:
    return Lane(kafka.bootstrap_servers, "requests", "replies", "group")


def login(user: str, password: str | None = None) -> dict[str, Any]:
    return {
        "kafka__security_protocol": "SASL_PLAINTEXT",
        "kafka__sasl_mechanism": "SCRAM-SHA-512",
        "kafka__sasl_username": user,
        "kafka__sasl_password": password or USERS[user],
    }


async def test_user_without_rights_is_told_what_is_lacking(secured: EmbeddedKafka, models: Path):
    found = await examined(settings_of(lane_of(secured), models, **login("nobody")))
    lacking = {each.check: each for each in found if each.section == "access"}
    assert {each.level for each in lacking.values()} == {"fault"}
    assert lacking["request topics"].what == "User:nobody lacks Read and Describe on requests"
    assert lacking["reply topics"].what == "User:nobody lacks Write and Describe on replies"
    assert lacking["dead letter topics"].what == "User:nobody lacks Write and Describe on requests-dlt"
    assert lacking["group"].what == "User:nobody lacks Read on group group"
    assert lacking["request topics"].commands == (
        f"kafka-acls.sh --bootstrap-server {secured.bootstrap_servers} --command-config admin.properties --add "
        "--allow-principal User:nobody --operation Read --operation Describe --topic requests",
    )
    (hidden,) = [each for each in found if each.section == "topics"]
    assert hidden.what == "requests, replies, requests-dlt: missing, or not for this user to see"


async def test_right_that_implies_describe_is_enough_to_see_a_topic(secured: EmbeddedKafka, models: Path):
    found = await examined(settings_of(lane_of(secured), models, **login("half")))
    lacking = [each.what for each in found if each.section == "access"]
    assert lacking == [
        "User:half lacks Read on requests",
        "User:half lacks Write and Describe on requests-dlt",
        "User:half lacks Read on group group",
    ]
    assert [each.level for each in found if each.section == "topics"] == ["fault", "ok", "ok", "skipped"]


async def test_rights_that_the_doctor_asks_for_are_enough_for_a_worker(
    secured: EmbeddedKafka, models: Path, tmp_path: Path
):
    lane, more = lane_of(secured), login("worker")
    before = await examined(settings_of(lane, models, **more))
    for command in [command for each in before if each.section == "access" for command in each.commands]:
        await give(secured, command)

    async with WorkerProcess(tmp_path / "worker.log", variables(lane, models, **more)) as worker:
        await worker.ready()
        after = await examined(settings_of(lane, models, **more))

    assert [each.level for each in after if each.section in ("access", "group")] == ["ok", "ok", "ok"]


async def give(kafka: EmbeddedKafka, command: str) -> None:
    """Do what a `kafka-acls.sh --add` command line says."""
    words = shlex.split(command)
    pairs = list(itertools.pairwise(words))
    operations = [value.lower() for option, value in pairs if option == "--operation"]
    for option, value in pairs:
        if option in ("--topic", "--group"):
            await kafka.allow("worker", option.removeprefix("--"), value, operations)


PROBLEMS = {
    "no log-in": ({}, Problem.WANTS_LOGIN),
    "wrong password": (login("worker", "wrong"), Problem.NOT_LET_IN),
    "no such user": (login("stranger", "s"), Problem.NOT_LET_IN),
    "no such mechanism": ({**login("worker"), "kafka__sasl_mechanism": "PLAIN"}, Problem.NO_SUCH_MECHANISM),
    "TLS": ({"kafka__security_protocol": "SSL"}, Problem.SPEAKS_NO_TLS),
}


@pytest.mark.parametrize(("settings", "problem"), PROBLEMS.values(), ids=PROBLEMS)
async def test_log_in_that_fails_is_told_apart(secured: EmbeddedKafka, settings: dict[str, object], problem: Problem):
    named = {name.removeprefix("kafka__"): value for name, value in settings.items()}
    options = KafkaSettings.model_validate(named).client_options()
    found = await reach(secured.bootstrap_servers, options, timeout_s=5)
    assert found.problem is problem
    if problem in (Problem.WANTS_LOGIN, Problem.NO_SUCH_MECHANISM):
        assert "SCRAM-SHA-512" in found.detail


async def test_command_says_who_is_not_let_in(secured: EmbeddedKafka):
    named = {"kafka__bootstrap_servers": secured.bootstrap_servers, **login("worker", "wrong")}
    service = {f"PENSTOCK_{name.upper()}": value for name, value in named.items()}
    ran = await asyncio.to_thread(penstock, "topics", "list", variables=service)
    assert ran.status == 1
    assert "does not let user worker in" in ran.lines[0]
    assert "kafka.sasl_password" in ran.lines[1]
    assert "wrong" not in ran.err


async def test_topics_cannot_be_made_without_the_right(secured: EmbeddedKafka):
    named = {"kafka__bootstrap_servers": secured.bootstrap_servers, **login("nobody")}
    service = {f"PENSTOCK_{name.upper()}": value for name, value in named.items()}
    ran = await asyncio.to_thread(penstock, "topics", "create", "--set", "worker.reply_topic=other", variables=service)
    assert ran.status == 1
    assert "topic other could not be created: not authorized" in ran.err
    assert "kafka-acls.sh" in ran.err
