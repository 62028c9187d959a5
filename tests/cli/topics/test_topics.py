"""`penstock topics`, against the real broker."""

import asyncio
import json
import secrets
from pathlib import Path

import pytest

from penstock.transport.topics import create_topics
from tests.support.command import Ran, penstock
from tests.support.lane import Lane


@pytest.fixture
def service(bootstrap: str) -> dict[str, str]:
    """The variables of a service whose topics are not there yet."""
    name = f"topics-{secrets.token_hex(4)}"
    return {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "PENSTOCK_WORKER__REQUEST_TOPICS": f"{name}-a,{name}-b",
        "PENSTOCK_WORKER__REPLY_TOPIC": f"{name}-replies",
        "PENSTOCK_WORKER__GROUP_ID": f"{name}-group",
    }


async def topics(*arguments: object, service: dict[str, str]) -> Ran:
    return await asyncio.to_thread(penstock, "topics", *arguments, variables=service)


async def listed(service: dict[str, str]) -> dict[str, dict[str, object]]:
    ran = await topics("list", "--json", service=service)
    return {topic["name"]: topic for topic in json.loads(ran.out)["topics"]}


async def test_missing_topics_are_named_and_then_made(service):
    before = await topics("list", service=service)
    requests = service["PENSTOCK_WORKER__REQUEST_TOPICS"].split(",")
    assert before.status == 0
    assert all(name in before.err for name in requests)
    assert "penstock topics create" in before.err

    made = await topics("create", "--partitions", 3, service=service)
    assert made.status == 0, made
    assert made.out.count("created") == 5
    assert made.err == ""

    found = await listed(service)
    assert [topic["role"] for topic in found.values()] == [
        "request", "request", "reply", "dead letter", "dead letter"
    ]  # fmt: skip
    assert {topic["partitions"] for topic in found.values()} == {3}
    assert found[requests[0]]["kept"] == "7 d"


async def test_topics_that_are_there_are_left_alone_and_their_differences_shown(service, bootstrap):
    request = service["PENSTOCK_WORKER__REQUEST_TOPICS"].split(",")[0]
    configs = {"cleanup.policy": "compact", "retention.ms": "1000"}
    await create_topics({"bootstrap_servers": bootstrap}, {request: 2}, configs=configs, replication_factor=1)

    ran = await topics("create", "--json", service=service)

    made = {topic["name"]: topic for topic in json.loads(ran.out)["topics"]}
    there = made.pop(request)
    assert all(topic["created"] and not topic["differences"] for topic in made.values())
    assert not there["created"]
    assert there["partitions"] == 2
    found = {each["setting"]: (each["there"], each["change"]) for each in there["differences"]}
    assert found["partitions"] == ("2", True)
    assert found["cleanup.policy"] == ("compact", True)
    assert found["retention.ms"] == ("1000", True)
    assert there["commands"][0].endswith(f"--alter --topic {request} --partitions 8")
    assert (await listed(service))[request]["partitions"] == 2


async def test_printed_commands_make_nothing(service):
    ran = await topics("create", "--print", "--replication-factor", 1, "--retention", "2h", service=service)
    assert ran.status == 0
    assert ran.out.count("kafka-topics.sh --bootstrap-server") == 5
    assert ran.out.count("--if-not-exists") == 5
    assert ran.out.count("--config retention.ms=7200000") == 5
    assert ran.out.count("--config compression.type=uncompressed") == 2
    assert all(topic["partitions"] == 0 for topic in (await listed(service)).values())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[limits]\nmax_bytes = "20 MB"\n', "limits.max_bytes"),
        ('[worker]\nmax_reply_bytes = "a lot"\n', "worker.max_reply_bytes"),
    ],
)
def test_no_topics_are_planned_with_sizes_that_are_faulty(text: str, fault: str, tmp_path: Path):
    (tmp_path / "penstock.toml").write_text(text)
    ran = penstock("topics", "create", "--print", "--replication-factor", 1, folder=tmp_path)
    assert (ran.status, ran.out) == (2, "")
    assert f"penstock.toml: {fault}" in ran.err


def test_sizes_of_the_settings_become_those_of_the_topics(tmp_path: Path):
    (tmp_path / "penstock.toml").write_text(
        "[limits]\nmax_bytes = 30_000_000\n[worker]\nmax_reply_bytes = 40_000_000\n"
    )
    ran = penstock("topics", "create", "--print", "--replication-factor", 1, folder=tmp_path)
    assert ran.status == 0
    assert "max.message.bytes=3001" in ran.out
    assert "max.message.bytes=40001024" in ran.out


async def test_messages_and_those_that_wait_are_counted(lane: Lane):
    await lane.send([(0, None, b"x", ()), (1, None, b"x", ()), (1, None, b"x", ())])
    service = {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": lane.bootstrap,
        "PENSTOCK_WORKER__REQUEST_TOPICS": lane.requests,
        "PENSTOCK_WORKER__REPLY_TOPIC": lane.replies,
        "PENSTOCK_WORKER__GROUP_ID": lane.group,
    }
    found = await listed(service)
    assert (found[lane.requests]["messages"], found[lane.requests]["waiting"]) == (3, 3)
    assert (found[lane.replies]["messages"], found[lane.replies]["waiting"]) == (0, None)


async def test_every_topic_of_the_cluster_is_listed_on_request(lane: Lane):
    ran = await topics("list", "--all", service={"PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": lane.bootstrap})
    assert ran.status == 0
    assert lane.requests in ran.out.replace("\n", "")


async def test_more_copies_than_brokers_are_refused_in_kafkas_words(service):
    ran = await topics("create", "--replication-factor", 9, service=service)
    assert ran.status == 1
    assert "replication factor of 9 cannot be reached" in ran.err
    assert "Traceback" not in ran.err


async def test_what_is_no_duration_is_wrong_usage(service):
    ran = await topics("create", "--retention", "soon", service=service)
    assert ran.status == 2
    assert "'soon' is no duration such as 7d" in ran.err


async def test_no_broker_is_said_with_its_remedy():
    ran = await topics("list", "-b", "127.0.0.1:1", service={})
    assert ran.status == 1
    assert ran.lines[0] == "penstock: no Kafka broker answers at 127.0.0.1:1: connection refused."
    assert "penstock doctor" in ran.lines[1]
