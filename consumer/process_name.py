"""The name of this process, by which the group, the brokers and the status topic know its worker."""

import os
import socket


def process_name(client_id: str) -> str:
    """Return a client id that no other process has: in containers all of them may have the process id 1.

    Args:
        client_id: of the settings.
    """
    return f"{client_id}-{socket.gethostname()}-{os.getpid()}"
