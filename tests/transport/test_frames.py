"""Frames: answers come out whole and in order, however the bytes arrive, and a connection ends as it did."""

import asyncio
from typing import Any

import pytest
from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient
from hypothesis import given
from hypothesis import strategies as st

from penstock.transport import frames
from penstock.transport.frames import Connections, Frames
from tests.support.waiting import until


class Connection:
    """What is used of aiokafka's."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self._handle_frame = self.found.append
        self._protocol = asyncio.Protocol()
        self._reader: object = object()


def connection_that_notes() -> tuple[Any, list[bytes]]:
    connection = Connection()
    return connection, connection.found


def write(protocol: Frames, data: bytes, most: int) -> None:
    """What the event loop does with bytes that arrive."""
    while data:
        room = protocol.get_buffer(-1)
        count = min(len(room), len(data), most)
        assert count > 0, "there is always room"
        room[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]


def framed(answers: list[bytes]) -> bytes:
    return b"".join(len(answer).to_bytes(4, "big") + answer for answer in answers)


@given(st.lists(st.integers(0, 900).map(lambda size: bytes([size % 251]) * size), max_size=8), st.integers(1, 700))
def test_answers_come_out_as_they_were_sent(answers: list[bytes], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "_SMALL", 64)
        patch.setattr(frames, "_LARGE", 300)
        connection, found = connection_that_notes()
        write(Frames(connection), framed(answers), most)
    assert found == answers


def test_a_large_buffer_is_given_back() -> None:
    connection, found = connection_that_notes()
    protocol = Frames(connection)
    large = bytes(frames._LARGE + 1000)
    write(protocol, framed([large, b"small"]), 1 << 20)
    assert [len(each) for each in found] == [len(large), 5]
    assert len(protocol._view) == frames._SMALL


def test_what_comes_after_the_end_is_nobodys() -> None:
    connection, found = connection_that_notes()
    protocol = Frames(connection)
    connection._reader = None
    write(protocol, framed([b"late"]), 100)
    del connection
    protocol.buffer_updated(0)
    assert found == []


async def test_a_client_speaks_through_frames_and_notices_the_end(bootstrap: str) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    client._conns = Connections()
    async with asyncio.timeout(20):
        await client.bootstrap()
        node = client.get_random_node()
        assert await client.ready(node)
        (connection,) = [each for each in client._conns.values() if each.connected()]
        assert isinstance(connection._writer.transport.get_protocol(), Frames)
        assert await client.fetch_all_metadata()
        closed = connection._closed_fut
        connection._writer.transport.abort()
        await closed
        await until(lambda: connection._writer is None)  # the task that read the stream has closed it
        with pytest.raises(kafka_errors.KafkaConnectionError):
            await connection.send(object())
        assert await client.fetch_all_metadata()
        await client.close()
