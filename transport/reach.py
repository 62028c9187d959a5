"""One address of a broker: does it answer, and if not, why not.

Clients fail in one and the same way whatever the reason. Here each step is taken by itself: the name, the connection,
TLS, the log-in, a first question.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.conn import create_conn
from aiokafka.protocol.admin import SaslHandShakeRequest

from penstock.schemas.errors import TransportError
from penstock.transport.authorized import AuthorizedMetadata
from penstock.transport.cluster import Cluster, read_cluster
from penstock.transport.problems import Problem, Reached, unreachable
from penstock.transport.release import ApiVersions, release_of

_CONNECTION: Final = (
    "client_id", "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password",
)  # fmt: skip
_SECOND_LOOK_S: Final = 2.0
_SASL_FAILED: Final = kafka_errors.for_code(58)


class _Failed(Exception):
    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.detail = detail


async def reach(address: str, client_options: Mapping[str, Any], *, timeout_s: float) -> Reached:
    """Try one address, step by step.

    Args:
        address: host:port.
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        timeout_s: bound on each step.
    """
    host, port = split(address)
    options = {name: client_options[name] for name in _CONNECTION if name in client_options}
    options["request_timeout_ms"] = round(timeout_s * 1000)
    began = time.monotonic()
    try:
        await _connect(host, port, timeout_s)
        cluster, release = await _ask(host, port, options, timeout_s)
    except _Failed as failed:
        return Reached(address, failed.problem, failed.detail, time.monotonic() - began)
    return Reached(address, None, "", time.monotonic() - began, cluster, release)


async def reached_addresses(client_options: Mapping[str, Any], *, timeout_s: float) -> list[str]:
    """Return an address that answers, as soon as one does, and those that had answered by then.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        timeout_s: bound on each step of reaching an address.

    Raises:
        TransportError: none answers; why, and what to do.
    """
    addresses = _addresses(client_options)
    trying = {asyncio.create_task(reach(address, client_options, timeout_s=timeout_s)) for address in addresses}
    tried: list[Reached] = []
    try:
        while trying and not any(each.problem is None for each in tried):
            done, trying = await asyncio.wait(trying, return_when=asyncio.FIRST_COMPLETED)
            tried += [task.result() for task in done]
    finally:
        for task in trying:
            task.cancel()
    tried.sort(key=lambda each: addresses.index(each.address))
    answering = [each.address for each in tried if each.problem is None]
    if not answering:
        raise unreachable(tried, client_options)
    return answering


async def why_unreachable(client_options: Mapping[str, Any], *, timeout_s: float = 3.0) -> TransportError:
    """Find out why a client could not be connected, and return it as an error to raise."""
    try:
        answering = await reached_addresses(client_options, timeout_s=timeout_s)
    except TransportError as error:
        return error
    return TransportError(
        f"{', '.join(answering)} answers, but not all that was asked, or not in time.\n"
        "Brokers may advertise addresses that cannot be reached from here: `penstock doctor` finds out."
    )


def _addresses(client_options: Mapping[str, Any]) -> list[str]:
    given = client_options["bootstrap_servers"]
    return given.split(",") if isinstance(given, str) else list(given)


def split(address: str) -> tuple[str, int]:
    """Return host and port; an IPv6 address loses its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


async def _connect(host: str, port: int, timeout_s: float) -> None:
    """Find the name and connect, no more."""
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        raise _Failed(Problem.SILENT) from None
    except socket.gaierror as error:
        raise _Failed(Problem.UNRESOLVED, error.strerror or "") from None
    except OSError as error:
        # With several addresses for one name, asyncio puts the errors of all of them into one text.
        if error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error):
            raise _Failed(Problem.REFUSED) from None
        raise _Failed(Problem.NO_WAY, error.strerror or str(error)) from None
    writer.close()


async def _ask(host: str, port: int, options: dict[str, Any], timeout_s: float) -> tuple[Cluster, str | None]:
    """Log in and ask for the brokers."""
    connection = None
    try:
        async with asyncio.timeout(timeout_s):
            connection = await create_conn(host, port, **options)
            release = await _release(connection)
            return read_cluster(await connection.send(AuthorizedMetadata([]))), release
    except ssl.SSLCertVerificationError as error:
        raise _Failed(Problem.UNTRUSTED, error.verify_message) from None
    except _SASL_FAILED:
        raise _Failed(Problem.NOT_LET_IN) from None
    except kafka_errors.UnsupportedSaslMechanismError:
        raise _Failed(Problem.NO_SUCH_MECHANISM, await _mechanisms(host, port, options) or "") from None
    except kafka_errors.IllegalSaslStateError:
        raise _Failed(Problem.TAKES_NO_LOGIN) from None
    except (kafka_errors.KafkaError, NotImplementedError, OSError, EOFError, ValueError, AssertionError) as error:
        raise await _second_look(host, port, options, error) from None
    finally:
        if connection is not None:
            connection.close()


async def _release(connection: Any) -> str | None:
    try:
        return release_of(await connection.send(ApiVersions()))
    except NotImplementedError:  # older than the request
        return None


async def _second_look(host: str, port: int, options: dict[str, Any], error: Exception) -> _Failed:
    """Find out what a listener wants that broke off or says nothing."""
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(cause.reason):
        return _Failed(Problem.WANTS_CERTIFICATE)
    mechanisms, other = await asyncio.gather(_mechanisms(host, port, options), _other_way(host, port, options))
    if mechanisms is not None and "sasl_mechanism" not in options:
        return _Failed(Problem.WANTS_LOGIN, mechanisms)
    if other is not None:
        return _Failed(other)
    mute = isinstance(error, TimeoutError)
    return _Failed(Problem.MUTE if mute else Problem.NO_KAFKA, "" if mute else str(cause))


async def _mechanisms(host: str, port: int, options: dict[str, Any]) -> str | None:
    """Return the log-in mechanisms that are offered; None where there are none, or nobody answers."""
    with contextlib.suppress(kafka_errors.KafkaError, OSError, EOFError, ValueError):
        async with asyncio.timeout(_SECOND_LOOK_S):
            connection = await create_conn(host, port, **_without_login(options))
            try:
                answer = await connection.send(SaslHandShakeRequest("PLAIN"))
            finally:
                connection.close()
        if answer.error_code != kafka_errors.IllegalSaslStateError.errno:
            return ", ".join(answer.enabled_mechanisms)
    return None


async def _other_way(host: str, port: int, options: dict[str, Any]) -> Problem | None:
    """Try without TLS where it was tried with, and the other way round."""
    if "ssl_context" not in options:
        return Problem.WANTS_TLS if await _speaks_tls(host, port) else None
    in_clear = {**_without_login(options), "security_protocol": "PLAINTEXT"}
    with contextlib.suppress(kafka_errors.KafkaError, OSError, EOFError, ValueError):
        async with asyncio.timeout(_SECOND_LOOK_S):
            (await create_conn(host, port, **in_clear)).close()
            return Problem.SPEAKS_NO_TLS
    return None


async def _speaks_tls(host: str, port: int) -> bool:
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE  # nothing is sent: only that it answers matters
    with contextlib.suppress(OSError, EOFError):
        async with asyncio.timeout(_SECOND_LOOK_S):
            _, writer = await asyncio.open_connection(host, port, ssl=anyone)
            writer.close()
            return True
    return False


def _without_login(options: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in options.items() if not name.startswith("sasl_")}
    tls = "ssl_context" in options
    return {**kept, "security_protocol": "SSL" if tls else "PLAINTEXT"}
