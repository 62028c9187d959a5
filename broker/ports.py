"""Ports on the loopback interface."""

import random
import socket

from penstock.broker.errors import BrokerError, PortTakenError

HOST = "127.0.0.1"
# Below the ports that systems hand to outgoing connections. A broker that comes back has to get its port
# again, and a client that retries a closed port of that range can even end up connected to itself.
_CANDIDATES = range(20_000, 32_000)


def free_ports(count: int, *, avoid: frozenset[int] = frozenset()) -> list[int]:
    """Return ``count`` different ports nobody listens on at this moment. Raises: BrokerError."""
    found: list[int] = []
    for port in random.sample(_CANDIDATES, len(_CANDIDATES)):
        if len(found) == count:
            return found
        if port not in avoid and is_free(port):
            found.append(port)
    raise BrokerError(f"no {count} free ports on {HOST} between {_CANDIDATES[0]} and {_CANDIDATES[-1]}")


def check_free(port: int) -> None:
    """Raise PortTakenError if someone listens on ``port``."""
    if not is_free(port):
        raise PortTakenError(port)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        # As the JVM does: connections that linger from the last broker are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True
