"""Fetching a page of a worker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from penstock.broker.ports import free_ports
from penstock.cli.pages import fetch as module
from penstock.cli.pages.fetch import default_urls, fetch, place_of

Serving = Callable[[bytes], AbstractAsyncContextManager[str]]


@pytest.fixture
def serving() -> Serving:
    """Answers every call with the same bytes, and hangs up."""

    @asynccontextmanager
    async def begin(answer: bytes) -> AsyncIterator[str]:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    return begin


async def test_answer_has_status_headers_and_text(serving):
    async with serving(b"HTTP/1.0 503 No\r\nDate: Sun, 22 Nov 2026 23:20:23 GMT\r\n\r\nwhy: \xc3\xa9") as url:
        answer = await fetch(url, "/health/ready")

    assert (answer.status, answer.headers["date"], answer.text) == (503, "Sun, 22 Nov 2026 23:20:23 GMT", "why: é")


async def test_page_without_end_is_broken_off(serving, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    async with serving(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1000) as url:
        with pytest.raises(ValueError, match="too long"):
            await fetch(url, "/metrics")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nobody_is_said_in_the_same_words_for_one_address_and_for_several(host):
    with pytest.raises(ConnectionRefusedError, match="nobody listens there"):
        await fetch(f"http://{host}:{free_ports(1)[0]}", "/metrics")


def test_each_process_adds_its_number_to_the_port():
    assert default_urls("0.0.0.0", 8090, 2) == ["http://127.0.0.1:8090", "http://127.0.0.1:8091"]
    assert default_urls("::", 8090, 1) == ["http://[::1]:8090"]
    assert default_urls("10.0.0.7", 65_535, 3) == ["http://10.0.0.7:65535"]


def test_place_is_told_without_what_all_share():
    assert place_of("http://127.0.0.1:8090") == "127.0.0.1:8090"
