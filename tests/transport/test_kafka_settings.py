"""The connection settings, and the client options made of them."""

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import ValidationError

from penstock.transport.settings import KafkaSettings


def make(**values: Any) -> KafkaSettings:
    return KafkaSettings.model_validate(values)


def refused(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        make(**values)
    return str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a self-signed certificate and its key, encrypted with `opensesame`."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=penstock"]
    command += ["-passout", "pass:opensesame", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def test_plain_options_are_in_whole_milliseconds() -> None:
    assert make().client_options() == {
        "bootstrap_servers": ["localhost:9092"],
        "client_id": "penstock",
        "security_protocol": "PLAINTEXT",
        "request_timeout_ms": 15_000,
        "metadata_max_age_ms": 60_000,
        "retry_backoff_ms": 50,
    }


async def test_every_client_takes_the_options() -> None:
    settings = make(security_protocol="SASL_SSL", sasl_username="me", sasl_password="secret")
    options = settings.client_options()
    assert isinstance(options["ssl_context"], ssl.SSLContext)
    assert options["sasl_plain_password"] == "secret"
    for client in (AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient):
        client(**options)


@pytest.mark.parametrize("server", ["kafka:9092", "10.0.0.1:1", "[::1]:9092", "kafka.example.com:65535"])
def test_an_address_is_a_host_and_a_port(server: str) -> None:
    assert make(bootstrap_servers=[server]).bootstrap_servers == (server,)


@pytest.mark.parametrize(
    "server",
    ["", "kafka", ":9092", "kafka:", "kafka:0", "kafka:65536", "kafka:x", "http://kafka:9092", "::1:9092"],
)
def test_anything_else_is_no_address(server: str) -> None:
    assert "host:port" in refused(bootstrap_servers=[server]) or "port from 1" in refused(bootstrap_servers=[server])


def test_no_address_at_all_is_refused() -> None:
    assert "at least 1 item" in refused(bootstrap_servers=[])


def test_sasl_wants_user_and_password() -> None:
    message = refused(security_protocol="SASL_SSL")
    assert message.count("required when security_protocol is SASL_SSL") == 2


def test_credentials_that_would_not_be_sent_are_refused() -> None:
    message = refused(sasl_username="me", sasl_password="hunter22")
    assert message.count("has no effect when security_protocol is PLAINTEXT") == 2
    assert "hunter22" not in message


def test_tls_files_without_tls_are_refused(certificate: tuple[Path, Path]) -> None:
    assert "has no effect when security_protocol is PLAINTEXT" in refused(tls_ca_file=certificate[0])


def test_a_file_that_is_not_there_is_refused() -> None:
    assert "does not point to a file" in refused(security_protocol="SSL", tls_ca_file="/nowhere.pem")


def test_a_certificate_wants_its_key(certificate: tuple[Path, Path]) -> None:
    assert "go together" in refused(security_protocol="SSL", tls_cert_file=certificate[0])


def test_certificates_are_loaded_with_the_keys_password(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    settings = make(
        security_protocol="SSL",
        tls_ca_file=cert,
        tls_cert_file=cert,
        tls_key_file=key,
        tls_key_password="opensesame",
    )
    context = settings.client_options()["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("password", [None, "wrong-password"])
def test_a_wrong_key_password_is_told_at_once_and_not_shown(certificate: tuple[Path, Path], password: str) -> None:
    cert, key = certificate
    message = refused(security_protocol="SSL", tls_cert_file=cert, tls_key_file=key, tls_key_password=password)
    assert "cannot be loaded (wrong tls_key_password?)" in message
    assert "wrong-password" not in message


def test_a_file_without_certificates_is_told_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing here")
    assert "tls_ca_file" in refused(security_protocol="SSL", tls_ca_file=empty)


def test_secrets_are_in_no_repr() -> None:
    settings = make(security_protocol="SASL_PLAINTEXT", sasl_username="me", sasl_password="hunter22")
    assert "hunter22" not in repr(settings) + settings.model_dump_json()
