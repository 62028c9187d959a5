"""An address of a broker that speaks TLS: which of its wishes is not met."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from penstock.broker import EmbeddedKafka
from penstock.transport.problems import Problem, Reached
from penstock.transport.reach import reach
from penstock.transport.record_consumer import RecordConsumer
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import create_topics
from tests.support import cluster

HOST = "127.0.0.1"


@dataclass(frozen=True)
class TlsBroker:
    """Where a broker speaks TLS, and where it wants to see the client's certificate too."""

    tls: str
    mutual: str
    controller: str
    certificate: Path
    key: Path


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        return [held.enter_context(socket.create_server((HOST, 0))).getsockname()[1] for _ in range(count)]


async def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("a certificate takes openssl")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = (
        "-subj",
        "/CN=penstock",
        "-addext",
        f"subjectAltName=IP:{HOST}",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    )
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names)
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TlsBroker]:
    if reason := cluster.foreign():
        pytest.skip(reason)
    certificate, key = await self_signed(tmp_path_factory.mktemp("tls"))
    client, controller, tls, mutual = free_ports(4)
    listeners = f"CLIENT://{HOST}:{client},TLS://{HOST}:{tls},MUTUAL://{HOST}:{mutual}"
    properties = {
        "listeners": f"{listeners},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": listeners,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MUTUAL:SSL",
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": certificate.read_text().strip(),
        "ssl.keystore.key": key.read_text().strip(),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": certificate.read_text().strip(),
    }
    async with EmbeddedKafka(port=client, properties=properties, heap_mb=256):
        yield TlsBroker(f"{HOST}:{tls}", f"{HOST}:{mutual}", f"{HOST}:{controller}", certificate, key)


async def tried(address: str, **settings: object) -> Reached:
    return await reach(address, KafkaSettings.model_validate(settings).client_options(), timeout_s=5)


async def test_client_in_clear_is_told_of_tls(broker: TlsBroker):
    assert (await tried(broker.tls)).problem is Problem.WANTS_TLS


async def test_certificate_that_no_authority_signed_is_not_trusted(broker: TlsBroker):
    found = await tried(broker.tls, security_protocol="SSL")
    assert found.problem is Problem.UNTRUSTED
    assert "certificate" in found.detail


async def test_trusted_certificate_is_enough(broker: TlsBroker):
    assert (await tried(broker.tls, security_protocol="SSL", tls_ca_file=broker.certificate)).problem is None


async def test_log_in_over_tls_where_there_is_none_is_told_apart(broker: TlsBroker):
    login = {"security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password": "p"}
    found = await tried(broker.tls, tls_ca_file=broker.certificate, **login)
    assert found.problem is Problem.TAKES_NO_LOGIN


async def test_client_without_a_certificate_is_asked_for_one(broker: TlsBroker):
    found = await tried(broker.mutual, security_protocol="SSL", tls_ca_file=broker.certificate)
    assert found.problem is Problem.WANTS_CERTIFICATE


async def test_client_with_a_certificate_is_let_in(broker: TlsBroker):
    own = {"tls_cert_file": broker.certificate, "tls_key_file": broker.key}
    found = await tried(broker.mutual, security_protocol="SSL", tls_ca_file=broker.certificate, **own)
    assert found.problem is None


async def test_port_of_a_controller_is_no_brokers(broker: TlsBroker):
    assert (await tried(broker.controller)).problem is Problem.NO_KAFKA


async def test_large_answers_come_through_tls(broker: TlsBroker):
    options = KafkaSettings.model_validate(
        {"bootstrap_servers": (broker.tls,), "security_protocol": "SSL", "tls_ca_file": broker.certificate}
    ).client_options()
    place = TopicPartition("large-over-tls", 0)
    await create_topics(options, {place.topic: 1})
    async with AIOKafkaProducer(**options) as producer:
        for at in range(5):
            await producer.send_and_wait(place.topic, bytes([at]) * 700_000)
    async with RecordConsumer(**options, auto_offset_reset="earliest", fetch_max_bytes=3_000_000) as consumer:
        consumer.assign([place])
        found: list[bytes] = []
        async with asyncio.timeout(20):
            while len(found) < 5:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records]
    assert found == [bytes([at]) * 700_000 for at in range(5)]
