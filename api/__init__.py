"""Penstock: asynchronous inference on Apache Kafka.

Requests come by topic, go through a model in micro-batches, and are
answered by topic.

Client calls a model from asynchronous code, Client.sync from all other:

    async with Client("localhost:9092") as client:
        prediction = await client.predict("iris", [[5.1, 3.5, 1.4, 0.2]])
        print(prediction["probabilities"])

    with Client.sync("localhost:9092") as client:
        inputs = (row[None] for row in rows)
        for prediction in client.predict_many("iris", inputs):
            print(prediction["label"])

Worker serves a folder of models, or Python functions, inside a program of
your own (`penstock worker` serves a folder in processes of its own):

    async with Worker("models", "localhost:9092", group_id="own") as worker:
        await worker.wait()

    x = (TensorSpec("x", "FP32", (3,)),)
    models = {"doubler": (lambda i: {"x": i["x"] * 2}, Signature(x, x))}
    async with Worker(models, "localhost:9092", group_id="mine"):
        ...

Control switches versions and limits rates while a service serves:

    files = {"key": "anna.key", "trusted_keys": "trusted.toml"}
    async with Control("localhost:9092", "my-service", **files) as control:
        issued = await control.deploy("iris", "4", canary=10)
        for ack in await control.wait(issued):
            print(ack.worker, ack.kind)

EmbeddedKafka is a real Kafka, a child process, for tests and first tries:

    async with EmbeddedKafka() as kafka:
        print(kafka.bootstrap_servers)

Errors are PenstockError; those of EmbeddedKafka are BrokerError. Inputs
that are no tensors raise ValueError or TypeError. Else a call raises
ServiceError when the service has something to object, RequestTimeout when
nobody answers in time, another TransportError when Kafka cannot be used:

    try:
        prediction = await client.predict("iris", rows, timeout_s=2.0)
    except ServiceError as error:
        print(error.code, error.message, error.retryable)
    except RequestTimeout:
        print("no answer within 2 s")

Settings beyond the keywords: KafkaSettings(...) for a client's connection,
and load_settings("penstock.toml") for a worker.

The base install is the client. Worker needs the extra `worker`, and
EmbeddedKafka `broker`: pip install "penstock-kafka[worker,broker]"
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.broker.embedded import EmbeddedKafka as EmbeddedKafka
    from penstock.consumer.service import Service as Service
    from penstock.consumer.settings import ServiceSettings as ServiceSettings
    from penstock.consumer.settings import load_settings as load_settings
    from penstock.consumer.worker import Worker as Worker
    from penstock.core.callable_model import CallableModel as CallableModel
    from penstock.core.model import Signature as Signature
    from penstock.core.model import TensorSpec as TensorSpec
    from penstock.producer.client import Client as Client
    from penstock.producer.control.control import Control as Control
    from penstock.producer.control.results import Ack as Ack
    from penstock.producer.control.results import CannotChange as CannotChange
    from penstock.producer.control.results import Change as Change
    from penstock.producer.control.results import Conflict as Conflict
    from penstock.producer.control.results import Issued as Issued
    from penstock.producer.prediction import Prediction as Prediction
    from penstock.producer.sync import SyncClient as SyncClient
    from penstock.schemas.control.refusals import CommandRefused as CommandRefused
    from penstock.schemas.errors import ClientClosed as ClientClosed
    from penstock.schemas.errors import ConfigurationError as ConfigurationError
    from penstock.schemas.errors import ModelError as ModelError
    from penstock.schemas.errors import PenstockError as PenstockError
    from penstock.schemas.errors import RequestTimeout as RequestTimeout
    from penstock.schemas.errors import ServiceError as ServiceError
    from penstock.schemas.errors import TransientModelError as TransientModelError
    from penstock.schemas.errors import TransportError as TransportError
    from penstock.transport.settings import KafkaSettings as KafkaSettings

# Names are resolved when they are first used, so that the client imports nothing of the worker's.
_HOMES = {
    "Ack": "penstock.producer.control.results",
    "CallableModel": "penstock.core.callable_model",
    "CannotChange": "penstock.producer.control.results",
    "Change": "penstock.producer.control.results",
    "Client": "penstock.producer.client",
    "ClientClosed": "penstock.schemas.errors",
    "CommandRefused": "penstock.schemas.control.refusals",
    "ConfigurationError": "penstock.schemas.errors",
    "Conflict": "penstock.producer.control.results",
    "Control": "penstock.producer.control.control",
    "EmbeddedKafka": "penstock.broker.embedded",
    "Issued": "penstock.producer.control.results",
    "KafkaSettings": "penstock.transport.settings",
    "ModelError": "penstock.schemas.errors",
    "PenstockError": "penstock.schemas.errors",
    "Prediction": "penstock.producer.prediction",
    "RequestTimeout": "penstock.schemas.errors",
    "Service": "penstock.consumer.service",
    "ServiceError": "penstock.schemas.errors",
    "ServiceSettings": "penstock.consumer.settings",
    "Signature": "penstock.core.model",
    "SyncClient": "penstock.producer.sync",
    "TensorSpec": "penstock.core.model",
    "TransientModelError": "penstock.schemas.errors",
    "TransportError": "penstock.schemas.errors",
    "Worker": "penstock.consumer.worker",
    "load_settings": "penstock.consumer.settings",
}
_OF_THE_WORKER = {"Service", "Worker"}  # and of its extra, which need not be installed

# What help() shows: the other names can be imported too, but are pydantic models, with 2000 lines of help.
__all__ = [
    "Ack",
    "CallableModel",
    "CannotChange",
    "Change",
    "Client",
    "ClientClosed",
    "CommandRefused",
    "ConfigurationError",
    "Conflict",
    "Control",
    "EmbeddedKafka",
    "Issued",
    "ModelError",
    "PenstockError",
    "Prediction",
    "RequestTimeout",
    "Service",
    "ServiceError",
    "Signature",
    "SyncClient",
    "TensorSpec",
    "TransientModelError",
    "TransportError",
    "Worker",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    try:
        return getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if name not in _OF_THE_WORKER or (error.name or "").startswith("penstock"):
            raise
        raise ImportError(
            f"penstock.{name} needs {error.name}; pip install 'penstock-kafka[worker]' brings it", name=error.name
        ) from None


def __dir__() -> list[str]:
    here = {name for name in _HOMES if name not in _OF_THE_WORKER or find_spec("prometheus_client")}
    return sorted({*globals(), *here})
