"""The proxy: what it does to requests and connections, before a server that answers each request with itself."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.broker.ports import HOST, free_ports
from tests.chaos.frames import Frame, Kind, take_frames
from tests.chaos.proxy import Proxy
from tests.support.waiting import until


def request(kind: int, client_id: str = "penstock-host-7", body: bytes = b"") -> bytes:
    name = client_id.encode()
    content = struct.pack(">hhih", kind, 1, 42, len(name)) + name + body
    return struct.pack(">i", len(content)) + content


@given(st.lists(st.tuples(st.integers(0, 70), st.text(max_size=20), st.binary(max_size=50))), st.data())
def test_frames_are_found_however_the_bytes_come(sent: list[tuple[int, str, bytes]], data: st.DataObject) -> None:
    raw = [request(*each) for each in sent]
    stream, found, buffer = b"".join(raw), list[Frame](), bytearray()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        buffer += stream[:size]
        stream = stream[size:]
        found += take_frames(buffer)
    assert [(each.kind, each.client_id, each.raw) for each in found] == [
        (kind, name, whole) for (kind, name, _), whole in zip(sent, raw, strict=True)
    ]
    assert not buffer


class Echo:
    """A server that remembers requests, and answers each with itself."""

    def __init__(self) -> None:
        self.got: list[Frame] = []
        self.ended = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = bytearray()
        with suppress(OSError):
            while piece := await reader.read(1000):
                buffer += piece
                for frame in take_frames(buffer):
                    self.got.append(frame)
                    writer.write(frame.raw)
        self.ended += 1
        writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Proxy, Echo]]:
    echo, (port, target) = Echo(), free_ports(2)
    server = await asyncio.start_server(echo.serve, HOST, target)
    proxy = Proxy()
    await proxy.listen({port: target})
    try:
        yield proxy, echo
    finally:
        await proxy.close()
        server.close()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, raw: bytes, within_s: float = 5.0) -> bytes:
        """Return the answer; nothing where the connection broke."""
        self.writer.write(raw)
        try:
            async with asyncio.timeout(within_s):
                return await self.reader.readexactly(len(raw))
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""


async def connect(proxy: Proxy) -> Client:
    return Client(*await asyncio.open_connection(HOST, proxy.ports[0]))


@pytest.fixture
def fetch() -> bytes:
    return request(Kind.FETCH)


async def test_what_nobody_disturbs_arrives(fetch: bytes) -> None:
    async with proxied() as (proxy, echo):
        client = await connect(proxy)
        assert await client.ask(fetch) == fetch
        assert [link.client_id for link in proxy.links] == ["penstock-host-7"]
        assert len(echo.got) == 1


async def test_a_kind_of_request_is_swallowed_and_the_others_pass(fetch: bytes) -> None:
    async with proxied() as (proxy, echo):
        proxy.weather.swallowed = lambda frame: frame.kind == Kind.OFFSET_COMMIT
        client = await connect(proxy)
        client.writer.write(request(Kind.OFFSET_COMMIT))
        assert await client.ask(fetch) == fetch
        assert [frame.kind for frame in proxy.swallowed] == [Kind.OFFSET_COMMIT]
        assert [frame.kind for frame in echo.got] == [Kind.FETCH]


async def test_a_held_request_arrives_after_later_ones_and_its_client_sees_a_cut(fetch: bytes) -> None:
    end = request(Kind.END_TXN)
    async with proxied() as (proxy, echo):
        proxy.weather.held = lambda frame: frame.kind == Kind.END_TXN
        assert await (await connect(proxy)).ask(end) == b""
        await proxy.until_held()
        assert await (await connect(proxy)).ask(fetch) == fetch
        assert proxy.release() == 1
        await until(lambda: len(echo.got) == 2)
        assert [frame.kind for frame in echo.got] == [Kind.FETCH, Kind.END_TXN]


async def test_what_was_held_and_dropped_never_arrives() -> None:
    async with proxied() as (proxy, echo):
        proxy.weather.held = lambda frame: True
        await (await connect(proxy)).ask(request(Kind.END_TXN))
        await proxy.until_held()
        proxy.drop_held()
        await until(lambda: echo.ended == 1)
        assert (proxy.release(), echo.got) == (0, [])


async def test_a_cut_breaks_both_sides(fetch: bytes) -> None:
    async with proxied() as (proxy, echo):
        client = await connect(proxy)
        await client.ask(fetch)
        assert proxy.cut() == 1
        assert await client.ask(fetch) == b""
        await until(lambda: echo.ended == 1)


async def test_a_half_open_connection_is_silent_until_healed_and_new_ones_are_good(fetch: bytes) -> None:
    async with proxied() as (proxy, echo):
        client = await connect(proxy)
        await client.ask(fetch)
        assert proxy.half_open() == 1
        with pytest.raises(TimeoutError):
            await client.ask(fetch, within_s=0.2)
        other = await connect(proxy)
        assert await other.ask(fetch) == fetch
        assert len(echo.got) == 2
        proxy.heal()
        assert await client.ask(b"") == b""
        await until(lambda: len(proxy.links) == 1)
        assert await other.ask(fetch) == fetch


async def test_latency_is_of_each_direction(fetch: bytes) -> None:
    async with proxied() as (proxy, _):
        client = await connect(proxy)
        await client.ask(fetch)
        proxy.weather.latency_s = 0.1
        with pytest.raises(TimeoutError):
            await client.ask(fetch, within_s=0.15)


async def test_while_the_network_is_down_nobody_gets_through(fetch: bytes) -> None:
    async with proxied() as (proxy, _):
        proxy.weather.down = True
        assert await (await connect(proxy)).ask(fetch) == b""
        proxy.heal()
        assert await (await connect(proxy)).ask(fetch) == fetch
