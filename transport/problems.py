"""Why an address of a broker is of no use, in words, and what mends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from penstock.schemas.errors import TransportError
from penstock.transport.cluster import Cluster


class Problem(StrEnum):
    """Why an address is of no use, the most telling first."""

    NOT_LET_IN = "not let in"
    NO_SUCH_MECHANISM = "mechanism not offered"
    WANTS_LOGIN = "wants a log-in"
    TAKES_NO_LOGIN = "takes no log-in"
    WANTS_CERTIFICATE = "wants our certificate"
    UNTRUSTED = "certificate not trusted"
    WANTS_TLS = "speaks TLS"
    SPEAKS_NO_TLS = "speaks no TLS"
    NO_KAFKA = "hangs up"
    MUTE = "says nothing"
    REFUSED = "connection refused"
    UNRESOLVED = "unknown name"
    SILENT = "no connection"
    NO_WAY = "no way there"


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of one address.

    Attributes:
        address: host:port.
        problem: None where the broker answered.
        detail: the reason in the words of whoever gave it; for a log-in, the mechanisms that are offered.
        took_s: seconds until it had answered.
        cluster: the brokers that it knows of.
        release: Kafka's, as `4.3`; None where the broker does not tell.
    """

    address: str
    problem: Problem | None = None
    detail: str = ""
    took_s: float = 0.0
    cluster: Cluster | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is wrong with an address, without a full stop; why that is so, and what mends it, in sentences."""

    what: str
    why: str
    mend: str


_RIGHT: Final = "Is it running, and is kafka.bootstrap_servers right?"

_REMEDIES: Final = {
    Problem.NOT_LET_IN: Remedy(
        "{address} does not let user {user} in",
        "It knows no such user with this password for {mechanism}.",
        "Set kafka.sasl_username and kafka.sasl_password (PENSTOCK_KAFKA__SASL_PASSWORD).",
    ),
    Problem.NO_SUCH_MECHANISM: Remedy(
        "{address} does not offer the log-in {mechanism}",
        "It offers {detail}.",
        "Set kafka.sasl_mechanism to one that it offers.",
    ),
    Problem.WANTS_LOGIN: Remedy(
        "{address} wants a log-in",
        "With kafka.security_protocol={protocol} there is none; the broker offers {detail}.",
        "Set kafka.security_protocol={with_login}, kafka.sasl_mechanism, kafka.sasl_username, kafka.sasl_password.",
    ),
    Problem.TAKES_NO_LOGIN: Remedy(
        "{address} takes no log-in",
        "With kafka.security_protocol={protocol} we try to log in.",
        "Set kafka.security_protocol={without_login}.",
    ),
    Problem.WANTS_CERTIFICATE: Remedy(
        "{address} wants to see our certificate",
        "It tells who connects by mutual TLS.",
        "Set kafka.tls_cert_file and kafka.tls_key_file.",
    ),
    Problem.UNTRUSTED: Remedy(
        "the certificate of {address} is not trusted",
        "OpenSSL says: {detail}.",
        "Set kafka.tls_ca_file to the PEM file of its authority, and name the host as the certificate does.",
    ),
    Problem.WANTS_TLS: Remedy(
        "{address} speaks TLS alone",
        "With kafka.security_protocol={protocol} we speak in clear.",
        "Set kafka.security_protocol={with_tls}.",
    ),
    Problem.SPEAKS_NO_TLS: Remedy(
        "{address} speaks no TLS",
        "With kafka.security_protocol={protocol} we do.",
        "Set kafka.security_protocol={without_tls}.",
    ),
    Problem.NO_KAFKA: Remedy(
        "{address} does not speak Kafka",
        "Another service may have the port, or it is that of a controller.",
        _RIGHT,
    ),
    Problem.MUTE: Remedy(
        "{address} takes connections and says nothing",
        "Another service may have the port, or the broker hangs.",
        _RIGHT,
    ),
    Problem.REFUSED: Remedy("{address}: connection refused", "Nothing listens there.", _RIGHT),
    Problem.UNRESOLVED: Remedy(
        "{address}: unknown host name",
        "Names of containers and pods hold in their own network alone.",
        "Is kafka.bootstrap_servers spelt right?",
    ),
    Problem.SILENT: Remedy(
        "{address}: no answer to a connection", "A firewall may be in the way, or the machine is off.", _RIGHT
    ),
    Problem.NO_WAY: Remedy("{address}: {detail}", "The network has no way there.", _RIGHT),
}
_OF_THE_NETWORK: Final = tuple(Problem)[list(Problem).index(Problem.NO_KAFKA) :]


def remedy(reached: Reached, client_options: Mapping[str, Any]) -> Remedy:
    """Put the problem of an address into words.

    Args:
        reached: with a problem.
        client_options: with which it was tried.
    """
    if reached.problem is None:
        raise ValueError(f"{reached.address} has no problem")
    protocol = client_options.get("security_protocol", "PLAINTEXT")
    login, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
    words = {
        "address": reached.address,
        "detail": reached.detail or "others",
        "user": client_options.get("sasl_plain_username"),
        "mechanism": client_options.get("sasl_mechanism"),
        "protocol": protocol,
        "with_login": "SASL_SSL" if tls else "SASL_PLAINTEXT",
        "without_login": "SSL" if tls else "PLAINTEXT",
        "with_tls": "SASL_SSL" if login else "SSL",
        "without_tls": "SASL_PLAINTEXT" if login else "PLAINTEXT",
    }
    said = _REMEDIES[reached.problem]
    return Remedy(said.what.format(**words), said.why.format(**words), said.mend.format(**words))


def unreachable(tried: Sequence[Reached], client_options: Mapping[str, Any]) -> TransportError:
    """Make the error of a cluster none of whose addresses is of use, from the most telling problem.

    Args:
        tried: every address; each has a problem.
        client_options: with which they were tried.
    """
    order = list(Problem)
    worst = min(tried, key=lambda each: order.index(each.problem or order[-1]))
    said = remedy(worst, client_options)
    if worst.problem in _OF_THE_NETWORK:
        where = ",".join(each.address for each in tried)
        reason = said.what.removeprefix(worst.address).lstrip(": ")
        return TransportError(
            f"no Kafka broker answers at {where}: {reason}.\n{said.mend} `penstock doctor` tells more."
        )
    return TransportError(f"{said.what}. {said.why}\n{said.mend}")
