"""Penstock: asynchronous inference on Apache Kafka.

    from penstock import Client

    async with Client("localhost:9092", request_topic="requests", reply_topic="replies") as client:
        prediction = await client.predict("breast-cancer", rows)

Names are resolved when they are first used, so that the client imports nothing of the worker's.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.broker.embedded import EmbeddedKafka as EmbeddedKafka
    from penstock.consumer.service import Service as Service
    from penstock.consumer.worker import Worker as Worker
    from penstock.producer.client import Client as Client
    from penstock.producer.prediction import Prediction as Prediction
    from penstock.schemas.errors import ClientClosed as ClientClosed
    from penstock.schemas.errors import PenstockError as PenstockError
    from penstock.schemas.errors import RequestTimeout as RequestTimeout
    from penstock.schemas.errors import ServiceError as ServiceError
    from penstock.schemas.errors import TransportError as TransportError

_HOMES = {
    "Client": "penstock.producer.client",
    "ClientClosed": "penstock.schemas.errors",
    "EmbeddedKafka": "penstock.broker.embedded",
    "PenstockError": "penstock.schemas.errors",
    "Prediction": "penstock.producer.prediction",
    "RequestTimeout": "penstock.schemas.errors",
    "Service": "penstock.consumer.service",
    "ServiceError": "penstock.schemas.errors",
    "TransportError": "penstock.schemas.errors",
    "Worker": "penstock.consumer.worker",
}

__all__ = [
    "Client",
    "ClientClosed",
    "EmbeddedKafka",
    "PenstockError",
    "Prediction",
    "RequestTimeout",
    "Service",
    "ServiceError",
    "TransportError",
    "Worker",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
