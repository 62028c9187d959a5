"""Which topics there are, where that can be asked and where it cannot."""

import asyncio
import socket

import pytest

from penstock.schemas.errors import TransportError
from penstock.transport import group, topics
from penstock.transport.group import CommittedOffsets
from penstock.transport.topics import TopicDirectory, is_gone
from tests.support.lane import Lane

NOWHERE = {"bootstrap_servers": "127.0.0.1:1"}


async def test_topic_is_gone_where_the_cluster_has_none(lane: Lane):
    options = {"bootstrap_servers": lane.bootstrap}
    assert await is_gone(options, f"{lane.requests}-missing")
    assert not await is_gone(options, lane.requests)


async def test_topic_is_not_gone_while_nobody_answers_and_no_reason_is_looked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(topics, "why_unreachable")
    assert not await is_gone(NOWHERE, "requests")


async def test_start_that_is_given_up_leaves_no_client():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        directory = TopicDirectory({"bootstrap_servers": f"127.0.0.1:{silent.getsockname()[1]}"})
        starting = asyncio.create_task(directory.start())
        await asyncio.get_running_loop().run_in_executor(None, silent.accept)
        starting.cancel()
        await asyncio.wait([starting])
    assert starting.cancelled()
    assert directory._client is None


async def test_listener_that_says_nothing_ends_the_wait_for_commits_at_the_deadline(monkeypatch: pytest.MonkeyPatch):
    async def why(_: object) -> TransportError:
        return TransportError("it says nothing")

    monkeypatch.setattr(group, "why_unreachable", why)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        offsets = CommittedOffsets(
            {"bootstrap_servers": f"127.0.0.1:{silent.getsockname()[1]}"}, "group", connect_s=0.2
        )
        with pytest.raises(TransportError, match="it says nothing"):
            await offsets.start()
