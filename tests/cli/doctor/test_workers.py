"""Judging workers by their pages, and reading the pages."""

import asyncio
import contextlib
import socket
import time
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, Counter

from penstock.cli.doctor.pages import look_at_workers
from penstock.cli.doctor.workers import Page, judge_workers
from penstock.consumer.health import HealthServer
from penstock.core.settings import HttpSettings

HTTP = HttpSettings(port=8090)
WELL = Page("127.0.0.1:8090", answers=True, ready=True, metrics=True)
NOBODY = Page("127.0.0.1:8091", answers=False, reason="connection refused")
REGISTRY = CollectorRegistry()
Counter("penstock_requests", "Requests answered", registry=REGISTRY)


def judged(*pages: Page, members: int = 0, http: HttpSettings = HTTP):
    return judge_workers(pages, http, members, "penstock worker", "ours")


PAGES = {
    "well": (WELL, "ok"),
    "not ready": (Page("h:1", answers=True, ready=False, reason="models are loading"), "fault"),
    "another program": (Page("h:1", answers=True, reason="status 404"), "fault"),
    "another service": (replace(WELL, group="theirs"), "fault"),
    "of this service": (replace(WELL, group="ours"), "ok"),
    "no metrics": (Page("h:1", answers=True, ready=True), "warning"),
}


@pytest.mark.parametrize(("page", "level"), PAGES.values(), ids=PAGES)
def test_process_is_judged_by_what_its_page_says(page: Page, level: str):
    (found,) = judged(page)
    assert found.level == level
    assert page.reason in found.what


def test_one_process_that_is_missing_beside_others_is_a_fault():
    assert [found.level for found in judged(WELL, NOBODY)] == ["ok", "fault"]


def test_no_worker_at_all_is_a_warning_with_the_command_that_starts_one():
    (found,) = judged(NOBODY)
    assert (found.level, found.commands) == ("warning", ("penstock worker",))


def test_workers_elsewhere_are_enough():
    (found,) = judged(NOBODY, members=3)
    assert (found.level, found.what) == (
        "skipped",
        "no health page at 127.0.0.1:8091; the group has 3 members elsewhere",
    )


@pytest.mark.parametrize("http", [HttpSettings(enabled=False), HttpSettings(port=0)])
async def test_pages_that_cannot_be_found_are_skipped(http: HttpSettings):
    assert await look_at_workers(http, 2, timeout_s=1) == []
    assert [found.level for found in judged(http=http)] == ["skipped"]


@pytest.mark.parametrize("reason", [None, "the worker is draining"])
async def test_pages_of_a_worker_are_read(reason: str | None):
    server = HealthServer("127.0.0.1", 0, REGISTRY, live=lambda: None, ready=lambda: reason)
    server.start()
    try:
        (page,) = await look_at_workers(HttpSettings(port=server.port), 1, timeout_s=5)
    finally:
        server.stop()
    assert (page.ready, page.reason, page.metrics) == (reason is None, reason or "", True)
    assert page.clock_ahead_s is not None
    assert abs(page.clock_ahead_s) < 30


async def test_clock_of_a_worker_is_compared_with_the_one_given():
    server = HealthServer("127.0.0.1", 0, REGISTRY, live=lambda: None, ready=lambda: None)
    server.start()
    try:
        http = HttpSettings(port=server.port)
        (page,) = await look_at_workers(http, 1, timeout_s=5, wall_clock=lambda: time.time() - 3600)
    finally:
        server.stop()
    assert page.clock_ahead_s is not None
    assert 3570 < page.clock_ahead_s < 3630


async def test_worker_that_hangs_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        (page,) = await look_at_workers(HttpSettings(port=hanging.getsockname()[1]), 1, timeout_s=0.3)
    assert (page.answers, page.ready, page.reason) == (True, False, "no answer within 0.3 s")


async def test_worker_that_never_ends_its_answer_is_given_up_in_time():
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (page,) = await look_at_workers(HttpSettings(port=port), 1, timeout_s=0.2)
    assert (page.ready, page.reason) == (False, "no answer within 0.2 s")


async def test_what_speaks_no_http_is_another_program():
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"+OK ready\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (page,) = await look_at_workers(HttpSettings(port=port), 1, timeout_s=5)
    assert (page.answers, page.ready) == (True, None)


async def test_port_where_nobody_listens_does_not_answer():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        (page,) = await look_at_workers(HttpSettings(port=held.getsockname()[1]), 1, timeout_s=1)
    assert (page.answers, page.reason) == (False, "nobody listens there")
