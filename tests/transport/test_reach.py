"""One address of a broker: does it answer, and if not, why not."""

import asyncio
import socket

import pytest

from penstock.schemas.errors import TransportError
from penstock.transport.problems import Problem, Reached
from penstock.transport.reach import reach, reached_addresses, why_unreachable
from penstock.transport.settings import KafkaSettings

OPTIONS = KafkaSettings().client_options()


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{held.getsockname()[1]}"


async def tried(address: str, timeout_s: float = 5.0, **settings: object) -> Reached:
    options = KafkaSettings.model_validate(settings).client_options()
    return await reach(address, options, timeout_s=timeout_s)


async def test_broker_answers_with_its_cluster_and_release(bootstrap):
    found = await tried(bootstrap.split(",")[0])
    assert found.problem is None
    assert found.cluster is not None
    assert found.cluster.nodes
    assert found.release is not None
    assert found.release.startswith("4.")
    assert 0 < found.took_s < 5


async def test_closed_port_is_refused(nobody):
    assert (await tried(nobody)).problem is Problem.REFUSED


async def test_closed_port_is_refused_on_every_address_of_a_name(nobody):
    assert (await tried(nobody.replace("127.0.0.1", "localhost"))).problem is Problem.REFUSED


async def test_unknown_name_is_told_apart():
    assert (await tried("nowhere.invalid:9092")).problem is Problem.UNRESOLVED


async def test_listener_that_says_nothing_is_no_broker():
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = await tried(f"127.0.0.1:{server.getsockname()[1]}", timeout_s=0.5)
    assert found.problem is Problem.MUTE


async def test_listener_that_hangs_up_does_not_speak_kafka():
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        found = await tried(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert found.problem is Problem.NO_KAFKA


async def test_broker_that_speaks_no_tls_is_told_apart(bootstrap):
    found = await tried(bootstrap.split(",")[0], security_protocol="SSL")
    assert found.problem is Problem.SPEAKS_NO_TLS


async def test_broker_that_takes_no_log_in_is_told_apart(bootstrap):
    found = await tried(
        bootstrap.split(",")[0], security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password="p"
    )
    assert found.problem is Problem.TAKES_NO_LOGIN


async def test_one_address_that_answers_is_enough(bootstrap, nobody):
    broker = bootstrap.split(",")[0]
    options = {**OPTIONS, "bootstrap_servers": [nobody, broker]}
    assert await reached_addresses(options, timeout_s=5) == [broker]


async def test_no_address_that_answers_is_an_error(nobody):
    with pytest.raises(TransportError, match=f"no Kafka broker answers at {nobody}: connection refused"):
        await reached_addresses({**OPTIONS, "bootstrap_servers": nobody}, timeout_s=5)


async def test_cluster_that_answers_after_all_is_said_to(bootstrap):
    error = await why_unreachable({**OPTIONS, "bootstrap_servers": bootstrap})
    assert "answers, but not all that was asked" in str(error)
