"""docs/deadletters.md: its tour is followed on a real service, and its table of what is not sent is complete."""

import os
import sys
from pathlib import Path

from aiokafka.structs import ConsumerRecord

from penstock.schemas.dead_letters.mark import mark, read_mark
from tests.support.command import environment
from tests.support.lane import Lane
from tests.support.messages import infer
from tests.support.pages import Page
from tests.support.walkthrough import Follower, steps
from tests.support.worker_inside import InsideWorker

PAGE = Page("docs/deadletters.md")
BY_HAND = "by hand"  # with Kafka's own tools


async def test_every_command_of_the_tour_works_and_prints_what_the_page_shows(
    lane: Lane, models: Path, tmp_path: Path
) -> None:
    reports = f"{lane.replies}-monday"
    moved = {
        "requests-dlt/": f"{lane.dead_letters}/",
        " requests/": f" {lane.requests}/",
        "reports-monday": reports,
        "my-service": lane.group,
        "iris": "doubler",
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    follower = Follower(tmp_path, environment({"PATH": path, "TZ": "UTC", "COLUMNS": "160"}), moved)
    (tmp_path / "penstock.toml").write_text(
        f'[kafka]\nbootstrap_servers = ["{lane.bootstrap}"]\n[worker]\nrequest_topics = ["{lane.requests}"]\n'
    )
    asked = [("penstock-model", b"doubler"), ("penstock-reply-topic", reports.encode())]
    async with InsideWorker(lane, models, worker__allowed_reply_topics=f"{lane.replies}-*"):
        await lane.send([(2, None, infer([1, 2, 0]), asked)] * 3)
        await lane.read(lane.dead_letters, enough=3, partitions=1)
        for step in steps(PAGE.text):
            if step.marker == BY_HAND:
                await lane.create(reports)
                await lane.send([(2, None, infer([1, 2, 0]), asked)])  # the worker looks for the topic anew
                await lane.read(reports, enough=1)
                continue
            await follower.follow(step)
        assert len(await lane.read(reports, enough=4)) == 4


def test_the_mark_of_the_page_is_read() -> None:
    (block,) = [each for each in PAGE.blocks("text") if each.section == "Never twice"]
    header, value = (line.split(maxsplit=1)[1] for line in block.text.splitlines())
    name, _, version = header.partition(": ")
    written, headers = mark([12, 13, 14, 20], "anna@laptop")
    assert headers == [(name, version.encode())]

    for each in (value.encode(), written):
        record = ConsumerRecord("requests-dlt", 0, 99, 0, 0, None, each, None, -1, -1, tuple(headers))
        assert read_mark(record) == [(12, 15), (20, 21)]
