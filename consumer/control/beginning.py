"""What comes before a worker that follows commands: whom it trusts, its topics, and what there is to serve."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from penstock.consumer.control.stock import GivenStock, RepositoryStock, Stock
from penstock.consumer.control.worker_control import WorkerControl
from penstock.consumer.loading_thread import in_loading_thread
from penstock.consumer.settings import EmbeddedSettings
from penstock.core.metrics import Metrics
from penstock.core.settings import ServedModelsSettings
from penstock.schemas.control.trust import Trust
from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.schemas.logger import Logger
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.control.keys import read_trusted_keys
from penstock.transport.control.settings import ControlSettings
from penstock.transport.control.topics import cluster_id, ensure_control_topics

log = Logger(__name__)

_RETRY_S: Final = 1.0
_LISTED_S: Final = 0.1


async def begin_control(
    settings: EmbeddedSettings,
    metrics: Metrics,
    given: Mapping[str, object] | None,
    *,
    client_id: str,
    say: Callable[[str], object],
) -> WorkerControl:
    """Read the control topic to its end, and load what it asks for.

    Args:
        settings: of the whole service.
        metrics: where it is counted.
        given: models that a program brings itself; None takes the repository's.
        client_id: of this process alone; the worker's name in its reports.
        say: told what is being done, for those who wait until the worker is ready.

    Raises:
        ConfigurationError: the settings, the keys or the control topic are not as they must be.
        TransportError: the control topic was not read within `control.start_timeout_s`.
        ModelError: a model of the settings has nothing that could serve.
    """
    deadline = time.monotonic() + settings.control.start_timeout_s
    trusted = _trusted_keys(settings.control)
    options = {**settings.kafka.client_options(), "client_id": client_id}
    say("the control topic has not been read yet")
    cluster = await _reach(options, settings, deadline)
    trust = Trust(cluster, settings.worker.group_id, trusted, settings.control.signing == "required")
    stock, names = await in_loading_thread(
        partial(_open, settings.models, given), discard=lambda opened: opened[0].close()
    )
    control = WorkerControl(settings, metrics, stock, names, trust, client_id=client_id)
    try:
        await control.read(max(1.0, deadline - time.monotonic()))
        say("models are loading")
        await control.load()
    except BaseException:
        await asyncio.shield(asyncio.ensure_future(control.close()))
        raise
    return control


def _trusted_keys(settings: ControlSettings) -> Mapping[str, Any]:
    if settings.signing == "off":
        return {}
    if settings.trusted_keys is None:
        raise ConfigurationError(
            "control.trusted_keys: required, where commands have to be signed: the file of the public keys.\n"
            "`penstock keys create` makes a key and such a file; control.signing=off takes orders from whoever may "
            "write to the topic."
        )
    return read_trusted_keys(settings.trusted_keys)


async def _reach(options: dict[str, Any], settings: EmbeddedSettings, deadline: float) -> str:
    """Return the cluster's id; the service's topics are there then."""
    group = settings.worker.group_id
    control_topic, status_topic = settings.control.topic_of(group), settings.control.status_topic_of(group)
    said = False
    while True:
        left_s = max(1.0, deadline - time.monotonic())
        try:
            if await _missing(options, control_topic, status_topic, timeout_s=left_s):
                for topic in await ensure_control_topics(options, control_topic, status_topic, timeout_s=left_s):
                    log.warning("topic did not exist; created", topic=topic)
                await _until_listed(options, control_topic, status_topic, timeout_s=left_s)
            return await cluster_id(options, left_s)
        except TransportError as error:
            if time.monotonic() + _RETRY_S >= deadline:
                raise
            if not said:
                log.warning("control topic cannot be reached yet; trying on", topic=control_topic, error=str(error))
            said = True
            await asyncio.sleep(_RETRY_S)


async def _until_listed(options: dict[str, Any], *topics: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while await _missing(options, *topics, timeout_s=timeout_s):
        if time.monotonic() > deadline:
            raise TransportError(f"topics {', '.join(topics)} were created but no broker lists them yet; start again")
        await asyncio.sleep(_LISTED_S)


async def _missing(options: dict[str, Any], *topics: str, timeout_s: float) -> list[str]:
    """Return which topics brokers do not list. Who has no right to create topics must not need it."""
    async with ClusterReader(options, timeout_s=timeout_s) as reader:
        found = (await reader.describe(topics)).topics
    return [topic for topic in topics if not found[topic].partitions]


def _open(settings: ServedModelsSettings, given: Mapping[str, object] | None) -> tuple[Stock, list[str]]:
    stock: Stock = RepositoryStock(settings) if given is None else GivenStock(settings, given)
    return stock, list(stock.names())
