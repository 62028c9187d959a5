"""docs/control.md: its tour is followed, and its tables are those of the code."""

import getpass
import math
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from xxhash import xxh3_64_intdigest

from penstock.broker.ports import free_ports
from penstock.core.routing import Split
from penstock.schemas.control.refusals import RefusalCode
from penstock.schemas.control.specs import Deployment, Key, Lane, Throttle
from tests.support.command import environment
from tests.support.pages import Page
from tests.support.walkthrough import Follower, Step, steps

PAGE = Page("docs/control.md")
STEPS = steps(PAGE.text)
BY_HAND = "by hand"  # needs two people
FIELDS: dict[str, type[BaseModel]] = {"Deployments": Deployment, "Throttles": Throttle, "Lanes": Lane, "Keys": Key}
BEFORE = (
    Step(["penstock init my-service", "cd my-service"], "", "", 0),
    Step(["python train.py"], "", "", 0),
    Step(["penstock broker start --port 9092 --data-dir kafka-data"], "terminal 2, until: Press Ctrl-C to stop", "", 0),
)


@pytest.fixture
async def follower(tmp_path: Path) -> AsyncIterator[Follower]:
    """Somebody who has come to the end of the quickstart's fourth step, without a worker."""
    kafka, http = free_ports(2)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    moved = {"9092": str(kafka), "8090": str(http), "anna@laptop": f"{getpass.getuser()}@{socket.gethostname()}"}
    moved["penstock-laptop-"] = f"penstock-{socket.gethostname()}-"
    follower = Follower(tmp_path, environment({"PATH": path, "TZ": "UTC", "COLUMNS": "160"}), moved)
    try:
        for step in BEFORE:
            await follower.follow(step)
            if step is BEFORE[0]:
                for file in filter(Path.is_file, follower.folder.iterdir()):
                    file.write_text(follower.here(file.read_text()))
        yield follower
    finally:
        await follower.end()


async def test_every_command_of_the_tour_works_and_prints_what_the_page_shows(follower: Follower) -> None:
    (settings,) = PAGE.blocks("toml")
    for step in STEPS:
        if step.marker == BY_HAND:
            continue
        await follower.follow(step)
        if step.commands[0].startswith("penstock keys create"):
            with (follower.folder / "penstock.toml").open("a") as file:
                file.write(settings.text)
    await follower.interrupt("3")
    await follower.interrupt("2")


@pytest.mark.parametrize("section", FIELDS)
def test_every_field_is_listed_and_no_other(section: str) -> None:
    listed = [row[0].strip("`") for row in PAGE.table(section)]
    assert listed == list(FIELDS[section].model_fields)


def test_every_code_is_listed_in_the_order_of_the_code() -> None:
    assert [row[0] for row in PAGE.table("What is refused")] == [code.value for code in RefusalCode]


@pytest.mark.parametrize("row", PAGE.table("How a split is sticky"), ids=lambda row: " ".join(row[:3]))
def test_vector_of_the_page_holds(row: list[str]) -> None:
    key, salt = row[0].strip("`").encode(), row[1].strip("`")
    weights = {version: float(weight) for version, weight in re.findall(r"(\d+): (\d+)", row[2])}
    split = Split(tuple(weights), tuple(weights.values()), salt)
    assert split.versions[split.choose([key])[0]] == row[4]
    assert ", ".join(f"{score(key, salt, *each):.4f}" for each in weights.items()) == row[3]


def score(key: bytes, salt: str, version: str, weight: float) -> float:
    """The formula, as the page has it."""
    seed = xxh3_64_intdigest(salt.encode() + b"\0" + version.encode())
    u = ((xxh3_64_intdigest(key, seed) >> 11) + 0.5) / 2**53
    return -weight / math.log(u)
