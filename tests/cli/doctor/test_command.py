"""`penstock doctor` as a person runs it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.command import Ran, penstock
from tests.support.lane import Lane
from tests.support.worker_process import variables

NOBODY = "127.0.0.1:1"


async def doctor(*arguments: object, folder: Path, **named: object) -> Ran:
    return await asyncio.to_thread(penstock, "doctor", *arguments, variables=named, folder=folder)


async def test_without_a_broker_it_fails_and_says_what_mends_it(tmp_path: Path):
    ran = await doctor("-b", NOBODY, folder=tmp_path, PYTHONIOENCODING="utf-8")
    assert ran.status == 1
    assert ran.err == ""
    assert f"✗ {NOBODY}: connection refused" in ran.out
    assert "        penstock broker start --port 1" in ran.out
    assert f"        penstock worker -b {NOBODY}" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


async def test_marks_are_ascii_where_the_output_is(tmp_path: Path):
    ran = await doctor("-b", NOBODY, folder=tmp_path, PYTHONIOENCODING="ascii")
    assert ran.status == 1
    assert ran.out.isascii()
    assert f"  x {NOBODY}" in ran.out


async def test_warnings_alone_are_no_failure(lane: Lane, models: Path, tmp_path: Path):
    ran = await doctor("--json", folder=tmp_path, **variables(lane, models))
    found = json.loads(ran.out)
    assert ran.status == 0, found
    assert found["healthy"] is True
    assert found["counts"]["fault"] == 0
    assert found["counts"]["warning"] >= 2
    assert {"section", "check", "level", "what", "why", "mend", "commands"} == found["findings"][0].keys()


async def test_no_cluster_is_examined_with_kafka_settings_that_are_faulty(tmp_path: Path):
    ran = await doctor(
        "-b", "prod:9093", "--set", "kafka.security_protocol=SASL_SSL", "--json", folder=tmp_path, PENSTOCK_HTTP__PORT=0
    )
    assert ran.status == 1
    assert "localhost" not in ran.out
    found = json.loads(ran.out)["findings"]
    assert any("sasl_username" in each["what"] for each in found if each["section"] == "settings")
    on_kafka = [each for each in found if each["section"] in ("kafka", "topics", "access", "group")]
    assert {each["section"] for each in on_kafka} == {"kafka", "topics", "access", "group"}
    assert {(each["level"], each["what"]) for each in on_kafka} == {("skipped", "the kafka settings are faulty")}


async def test_settings_of_the_folder_are_read(lane: Lane, models: Path, tmp_path: Path):
    (tmp_path / "penstock.toml").write_text(
        f'[kafka]\nbootstrap_servers = ["{lane.bootstrap}"]\n'
        f'[worker]\ngroup_id = "{lane.group}"\nreply_topic = "{lane.replies}"\nrequest_topics = ["{lane.requests}"]\n'
        f'[models]\nrepository = "{models}"\n[http]\nport = 0\n'
    )
    ran = await doctor(folder=tmp_path)
    assert ran.status == 0, ran.out
    assert "penstock.toml: 6 settings, all of them good" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("-b", "localhost"), "'localhost' is not host:port"), (("--timeout", "0"), "'--timeout'")],
)
async def test_what_is_wrong_on_the_command_line_is_wrong_usage(arguments, said, tmp_path: Path):
    ran = await doctor(*arguments, folder=tmp_path)
    assert ran.status == 2
    assert said in ran.err
    assert ran.out == ""
