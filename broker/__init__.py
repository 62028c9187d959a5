"""A real Apache Kafka as a child process, for the demo, the tests and laptops; imports nothing else of ours."""

from penstock.broker.embedded import EmbeddedKafka
from penstock.broker.errors import (
    BrokerError,
    BrokerStartError,
    ClientRefusedError,
    DataFolderError,
    ExtraMissingError,
    JarsUnavailableError,
    JavaError,
    PortTakenError,
)
from penstock.broker.jars import DEFAULT_VERSION
from penstock.broker.node import KafkaNode

__all__ = [
    "DEFAULT_VERSION",
    "BrokerError",
    "BrokerStartError",
    "ClientRefusedError",
    "DataFolderError",
    "EmbeddedKafka",
    "ExtraMissingError",
    "JarsUnavailableError",
    "JavaError",
    "KafkaNode",
    "PortTakenError",
]
