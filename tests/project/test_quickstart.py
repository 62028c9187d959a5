"""docs/quickstart.md, followed from its first command to its last.

Two kinds of block are not run: the installation, which tests/project/test_wheel.py does in an environment of its own,
and what needs Docker, which tests/project/test_containers.py holds to what can be checked without an engine.
"""

import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.broker.ports import free_ports
from penstock.cli.project.rendering import rendered
from tests.support.command import environment, penstock
from tests.support.walkthrough import Follower, Step, not_printed, steps

ROOT = Path(__file__).resolve().parents[2]
STEPS = steps((ROOT / "docs" / "quickstart.md").read_text())
INSTALL, DOCKER = "install", "needs Docker"


@pytest.fixture
async def follower(tmp_path: Path) -> AsyncIterator[Follower]:
    """Somebody in an empty folder, with Penstock installed, whose ports 9092 and 8090 may be taken."""
    kafka, http = free_ports(2)
    variables = environment({"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"})
    follower = Follower(tmp_path, variables, {"9092": str(kafka), "8090": str(http)})
    yield follower
    await follower.end()


def move_ports(follower: Follower) -> None:
    """Do to the files of the project what the follower does to the commands."""
    for path in filter(Path.is_file, follower.folder.iterdir()):
        path.write_text(follower.here(path.read_text()))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page looks at the metrics with curl")
async def test_every_command_of_the_page_works_and_prints_what_the_page_shows(follower: Follower) -> None:
    begun, predicted = follower.folder, list[str]()
    for step in STEPS:
        if step.marker in (INSTALL, DOCKER):
            continue
        printed = await follower.follow(step)
        if step.commands[0].startswith("penstock init"):
            move_ports(follower)
        if step.commands[0].startswith("penstock predict"):
            predicted.append(printed)
    await follower.interrupt("3")
    await follower.interrupt("2")
    assert follower.folder == begun / "my-service"
    # The comparison with the page passes over numbers, but here the version counts.
    assert [re.findall(r"iris@\d", printed) for printed in predicted] == [["iris@1"] * 5, ["iris@2"] * 5]


def test_page_installs_once_and_marks_as_docker_what_is_docker() -> None:
    assert [step.marker for step in STEPS].count(INSTALL) == 1
    for step in STEPS:
        assert all(command.startswith("docker ") for command in step.commands) == (step.marker == DOCKER)
        assert step.marker in ("", INSTALL, DOCKER) or step.terminal


def test_page_goes_all_the_way() -> None:
    typed = [command for step in STEPS for command in step.commands]
    for wanted in (
        'pip install ".[all]"',
        "penstock init my-service",
        "python train.py",
        "penstock model verify",
        "penstock broker start --port 9092",
        "penstock topics create",
        "penstock worker",
        "penstock predict iris rows.csv",
        "python client.py",
        "penstock doctor",
        "docker compose up",
    ):
        assert any(command.startswith(wanted) for command in typed), wanted


def test_project_gives_no_command_that_the_page_does_not(tmp_path: Path) -> None:
    typed = {command for step in STEPS for command in step.commands}
    readme = [command for step in steps(rendered("my-service")["README.md"]) for command in step.commands]
    activated = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = penstock("init", "my-service", folder=tmp_path, variables=activated)
    told = ran.out.partition("Next:\n")[2].splitlines()
    assert len(readme) == len(told) - 1 == 6
    assert {command.split("#")[0].strip() for command in [*readme, *told]} <= typed


def test_difference_between_page_and_program_is_found() -> None:
    printed = "one  2.5 ms\ntwo\nthree of 4\n"
    assert not_printed("one 7 ms\n...\nthree...\n", printed) == []
    assert not_printed("two\none 7 ms\n", printed) == ["one 0 ms"]
    assert not_printed("two of\n", printed) == ["two of"]


def test_page_is_taken_apart() -> None:
    page = "<!-- terminal 2, until: up -->\n```sh\na \\\n b\nc\n```\nso\n```text\nx\n```\n```sh\nd\n```\n"
    assert steps(page) == [Step(["a  b", "c"], "terminal 2, until: up", "x\n", 2), Step(["d"], "", "", 11)]
