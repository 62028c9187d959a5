"""Health and metrics over HTTP.

    GET /health/live    200 while the event loop turns, else 503
    GET /health/ready   200 while the worker serves, else 503 with the reason
    GET /metrics        Prometheus text

The server has threads of its own, so that it answers, and tells the truth, while the event loop is blocked.
"""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app

from penstock.schemas.errors import ConfigurationError

Check = Callable[[], str | None]  # None is well; else the reason why not
_StartResponse = Callable[[str, list[tuple[str, str]]], Any]

_POLL_S: Final = 0.1  # how soon the server notices that it is to end


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 5.0  # a client that connects and says nothing gives its thread back

    def log_message(self, *_: object) -> None:
        """Say nothing: probes come every few seconds."""


class HealthServer:
    """Serves health and metrics of one process.

    Args:
        host, port: where to listen; port 0 takes a free one.
        registry: the metrics.
        live, ready: called in the server's threads.

    Attributes:
        port: the one listened on, after `start`.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry, *, live: Check, ready: Check) -> None:
        self._host = host
        self.port = port
        self._metrics = make_wsgi_app(registry)
        self._checks: dict[str, Check] = {"/health/live": live, "/health/ready": ready}
        self._server: WSGIServer | None = None

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken or forbidden.
        """
        try:
            self._server = make_server(
                self._host, self.port, self._answer, server_class=_Server, handler_class=_Handler
            )
        except OSError as error:
            raise ConfigurationError(
                f"http.host {self._host} with http.port {self.port} cannot be used: {error.strerror or error}. "
                "Set others with PENSTOCK_HTTP__HOST and PENSTOCK_HTTP__PORT; port 0 takes any free one."
            ) from None
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="penstock-http", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _respond(start_response, "405 Method Not Allowed", {"error": "GET only"})
        if path == "/metrics":
            page: Iterable[bytes] = self._metrics(environ, start_response)
            return page
        check = self._checks.get(path)
        if check is None:
            return _respond(start_response, "404 Not Found", {"paths": [*self._checks, "/metrics"]})
        reason = check()
        if reason is None:
            return _respond(start_response, "200 OK", {"ok": True})
        return _respond(start_response, "503 Service Unavailable", {"ok": False, "reason": reason})


def _respond(start_response: _StartResponse, status: str, body: dict[str, Any]) -> Iterable[bytes]:
    encoded = orjson.dumps(body)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(encoded)))])
    return [encoded]
