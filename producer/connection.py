"""Where Kafka is, for those who say no more than its addresses. Imports nothing that reads or writes rows."""

from pydantic import ValidationError

from penstock.schemas.errors import ConfigurationError
from penstock.transport.settings import KafkaSettings


def plain_connection(bootstrap_servers: str | None) -> KafkaSettings:
    """Return the connection to some brokers, given as "host:port,host:port", without security.

    Raises:
        ConfigurationError: they are none.
    """
    if bootstrap_servers is None:
        return KafkaSettings()
    servers = tuple(server.strip() for server in bootstrap_servers.split(","))
    try:
        return KafkaSettings(bootstrap_servers=servers)
    except ValidationError as error:
        raise ConfigurationError(f"bootstrap_servers {bootstrap_servers!r}: {error.errors()[0]['msg']}") from None
