"""`penstock broker`."""

import asyncio
import re
import socket

import pytest

from tests.support import cluster
from tests.support.command import interrupt_when, penstock


async def test_started_broker_says_where_it_is_and_ends_cleanly_on_interrupt(tmp_path):
    if reason := cluster.foreign():
        pytest.skip(reason)
    folder = tmp_path / "data"
    ran = await asyncio.to_thread(interrupt_when, "broker", "start", "--data-dir", folder, seen="Ctrl-C")

    assert re.search(r"bootstrap servers +127\.0\.0\.1:\d+", ran.out)
    assert str(folder / "node-1" / "broker.log") in ran.out
    assert (ran.status, ran.err) == (0, "Stopped.\n")


def test_taken_port_is_one_line_and_status_1():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ran = penstock("broker", "start", "--port", server.getsockname()[1])

    assert ran.status == 1
    assert ran.lines[0].startswith("penstock: port ")
    assert len(ran.lines) == 1


def test_cache_that_cannot_be_written_is_named_with_its_variable():
    ran = penstock("broker", "start", variables={"HOME": "/proc/nowhere", "XDG_CACHE_HOME": ""})

    assert ran.status == 1
    assert "the cache /proc/nowhere" in ran.err
    assert "Set XDG_CACHE_HOME" in ran.err
    assert len(ran.lines) == 2


@pytest.mark.parametrize("arguments", [["start", "--version", "3.1.0"], ["prepare", "--version", "3.1.0"]])
def test_impossible_version_is_one_line_and_status_1(arguments):
    ran = penstock("broker", *arguments)

    assert ran.status == 1
    assert "give a release from Kafka 3.9 on" in ran.err
    assert len(ran.lines) == 1
