"""What can go wrong around a broker of ours, split by what the reader has to do about it.

Each message says what happened and what to do, because the command line prints it as it is.
"""

from pathlib import Path


class BrokerError(Exception):
    """Base of every error this package raises on purpose."""


class ExtraMissingError(BrokerError):
    """The libraries that fetch Kafka or Java are not installed."""

    def __init__(self, library: str) -> None:
        super().__init__(
            f'the embedded broker needs {library}, which is not installed: pip install "penstock-kafka[broker]"'
        )


class JarsUnavailableError(BrokerError):
    """Kafka is neither in the cache nor to be had from the registry."""


class CacheError(BrokerError):
    """The folder for what is fetched cannot be written."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"the cache {folder} cannot be written: {error.strerror}.\n"
            "Set XDG_CACHE_HOME to a folder that can be: Kafka is fetched into it, once."
        )


class JavaError(BrokerError):
    """No Java that can run the broker."""


class PortTakenError(BrokerError):
    """Someone else listens on a port the broker was told to use."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} on 127.0.0.1 is taken: stop what listens there or choose another port "
            "(without one, a free port is found)"
        )
        self.port = port


class DataFolderError(BrokerError):
    """The data folder holds something other than this cluster, or is in use."""


class BrokerStartError(BrokerError):
    """The broker process ended, or did not answer, before it was ready; ``tail`` is the end of its log."""

    def __init__(self, what: str, tail: str) -> None:
        super().__init__(f"{what}; the end of its log:\n{tail}" if tail else f"{what}; its log is empty")
        self.tail = tail


class ClientRefusedError(BrokerError):
    """The broker refused an administrative request of ours."""
