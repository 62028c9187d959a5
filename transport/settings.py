"""How to reach Kafka and prove who we are: shared by workers, clients and tools."""

import ssl
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FilePath, SecretStr, ValidationInfo, field_validator, model_validator

_TLS: Final = ("SSL", "SASL_SSL")
_SASL: Final = ("SASL_PLAINTEXT", "SASL_SSL")


class KafkaSettings(BaseModel):
    """The connection to the cluster."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    bootstrap_servers: tuple[str, ...] = Field(
        default=("localhost:9092",),
        min_length=1,
        description="host:port of some brokers; the others are learned from them.",
    )
    client_id: str = Field(
        default="penstock",
        pattern=r"^[A-Za-z0-9._-]{1,249}$",  # the characters that brokers allow in a metric or a quota name
        description="Name that brokers log and set quotas for.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="SSL encrypts, SASL proves who connects."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="How the password is proved. PLAIN sends it, so use it inside SSL only."
    )
    sasl_username: str | None = Field(default=None, min_length=1, description="User, with a SASL protocol.")
    sasl_password: SecretStr | None = Field(default=None, min_length=1, description="Password, with a SASL protocol.")
    tls_ca_file: FilePath | None = Field(
        default=None, description="PEM file of the authorities to trust; without it the system's."
    )
    tls_cert_file: FilePath | None = Field(default=None, description="PEM file of our certificate, for mutual TLS.")
    tls_key_file: FilePath | None = Field(default=None, description="PEM file of our certificate's private key.")
    tls_key_password: SecretStr | None = Field(default=None, description="Password of the private key.")
    request_timeout_s: float = Field(
        default=15.0,
        ge=1.0,  # a broker that elects a leader takes about that long
        le=300.0,
        description="Seconds until a request to a broker counts as lost.",
    )
    metadata_max_age_s: float = Field(
        default=60.0,
        ge=1.0,
        le=3600.0,
        description="Seconds after which topics are looked up again, so that new partitions are seen.",
    )
    retry_backoff_s: float = Field(
        default=0.05, ge=0.001, le=10.0, description="Seconds between attempts at the same request."
    )

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            _check_address(server)
        return servers

    @field_validator("sasl_username", "sasl_password")
    @classmethod
    def _sasl_is_whole(cls, value: Any, info: ValidationInfo) -> Any:
        protocol = info.data.get("security_protocol")
        if protocol in _SASL and value is None:
            raise ValueError(f"required when security_protocol is {protocol}")
        if protocol is not None and protocol not in _SASL and value is not None:
            # Credentials that are never sent are a mistake somebody should hear of.
            raise ValueError(f"has no effect when security_protocol is {protocol}; use SASL_SSL")
        return value

    @field_validator("tls_ca_file", "tls_cert_file", "tls_key_file", "tls_key_password")
    @classmethod
    def _tls_is_on(cls, value: Any, info: ValidationInfo) -> Any:
        protocol = info.data.get("security_protocol")
        if protocol is not None and protocol not in _TLS and value is not None:
            raise ValueError(f"has no effect when security_protocol is {protocol}; use SSL or SASL_SSL")
        return value

    @model_validator(mode="after")
    def _tls_loads(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file go together: set both or neither")
        if self.tls_key_password is not None and self.tls_key_file is None:
            raise ValueError("tls_key_password has no effect without tls_key_file")
        if self.security_protocol in _TLS:
            self._ssl_context()
        return self

    def client_options(self) -> dict[str, Any]:
        """Return the keyword arguments that aiokafka's consumer, producer and admin client share."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "request_timeout_ms": round(self.request_timeout_s * 1000),
            "metadata_max_age_ms": round(self.metadata_max_age_s * 1000),
            "retry_backoff_ms": round(self.retry_backoff_s * 1000),
        }
        if self.security_protocol in _TLS:
            options["ssl_context"] = self._ssl_context()
        if self.security_protocol in _SASL:
            password = self.sasl_password
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = password.get_secret_value() if password else None
        return options

    def _ssl_context(self) -> ssl.SSLContext:
        """Make the context of TLS connections: certificates verified, host names checked.

        Raises:
            ValueError: a file holds no certificate or key, or the key's password is wrong.
        """
        try:
            context = ssl.create_default_context(cafile=self.tls_ca_file)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(f"tls_ca_file {self.tls_ca_file} cannot be loaded: {error}") from None
        if self.tls_cert_file is not None:
            secret = self.tls_key_password.get_secret_value() if self.tls_key_password else ""
            try:
                # Without a password OpenSSL would ask for one on the terminal, and a service would hang.
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file, password=secret)
            except (ssl.SSLError, OSError) as error:
                raise ValueError(
                    f"tls_cert_file {self.tls_cert_file} and tls_key_file {self.tls_key_file} "
                    f"cannot be loaded (wrong tls_key_password?): {error}"
                ) from None
        return context


def _check_address(server: str) -> None:
    host, colon, port = server.rpartition(":")
    if not colon or not host or "/" in server or ("[" in host) != ("]" in host) or (":" in host and "[" not in host):
        raise ValueError(f"{server!r} is not host:port")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        raise ValueError(f"{server!r} has no port from 1 to 65535")
