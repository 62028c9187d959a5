"""Health and metrics over HTTP, from a real server."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from penstock.consumer.health import HealthServer
from penstock.schemas.errors import ConfigurationError

Start = Callable[..., HealthServer]
REGISTRY = CollectorRegistry()
Counter("drops", "Drops", registry=REGISTRY).inc(3)


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[HealthServer] = []

    def begin(live: str | None = None, ready: str | None = None, port: int = 0) -> HealthServer:
        server = HealthServer("127.0.0.1", port, REGISTRY, live=lambda: live, ready=lambda: ready)
        server.start()
        started.append(server)
        return server

    yield begin
    for server in started:
        server.stop()


def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if answer.headers["Content-Type"] == "application/json" else text
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_a_worker_that_is_well_says_so(start: Start, path: str) -> None:
    assert get(start(), path) == (200, {"ok": True})


def test_what_is_wrong_is_told_apart_and_explained(start: Start) -> None:
    server = start(live=None, ready="the worker is draining")
    assert get(server, "/health/live")[0] == 200
    assert get(server, "/health/ready") == (503, {"ok": False, "reason": "the worker is draining"})
    assert get(start(live="the event loop hangs"), "/health/live")[0] == 503


def test_metrics_are_prometheus_text(start: Start) -> None:
    status, text = get(start(), "/metrics")
    assert status == 200
    assert "drops_total 3.0" in text


def test_other_paths_and_methods_are_refused(start: Start) -> None:
    server = start()
    assert get(server, "/")[0] == 404
    assert get(server, "/health/live", "POST")[0] == 405


def test_a_client_that_says_nothing_does_not_block_the_others(start: Start) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5):
        assert get(server, "/health/live")[0] == 200


def test_a_port_that_is_taken_is_the_operators_error(start: Start) -> None:
    with pytest.raises(ConfigurationError, match="PENSTOCK_HTTP__PORT"):
        start(port=start().port)


def test_a_stopped_server_gives_its_port_back(start: Start) -> None:
    server = start()
    server.stop()
    server.stop()
    assert get(start(port=server.port), "/health/live")[0] == 200
