"""What must be there before a worker serves: its topics, and its models, loaded and warm."""

import time
from typing import Any

import structlog

from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable
from penstock.core.repository import ModelRepository
from penstock.core.settings import ModelsSettings
from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.transport.topics import TopicDirectory, create_topics

log = structlog.get_logger(__name__)


async def ensure_topics(options: dict[str, Any], directory: TopicDirectory, topics: tuple[str, ...]) -> None:
    """Create the service's own topics where they are missing, with the broker's default settings, and say so.

    Raises:
        TransportError: a topic is missing and cannot be created.
    """
    missing = {topic: -1 for topic in topics if not directory.partitions(topic)}
    if not missing:
        return
    for topic in await create_topics(options, missing):
        log.warning("topic did not exist; created with the broker's defaults", topic=topic)
    await directory.wait_for(missing, timeout_s=10.0)
    still = [topic for topic in missing if not directory.partitions(topic)]
    if still:
        raise TransportError(f"topics {still} were created but no broker lists them yet; start again")


def load_models(settings: ModelsSettings, metrics: Metrics) -> ModelTable:
    """Load and warm up every model that is to be served. Blocks: call it off the event loop.

    Raises:
        ConfigurationError: the repository or the default model is not there.
        ModelError: a model cannot be loaded or run.
    """
    repository = ModelRepository(
        settings.repository, providers=settings.providers, intra_op_threads=settings.intra_op_threads
    )
    wanted = dict.fromkeys((*settings.load, *filter(None, [settings.default]))) if settings.load else {}
    available = {name: repository.served(name) for name in wanted} if wanted else repository.models()
    if settings.default is not None and settings.default not in available:
        there = ", ".join(sorted(available))
        raise ConfigurationError(
            f"models.default: no model {settings.default!r} in {settings.repository}; there is: {there}"
        )
    table = ModelTable(settings.default)
    for name, versions in available.items():
        for version in versions:
            start = time.monotonic()
            model = repository.load(name, version)
            model.warm_up()
            table.add(model)  # versions ascend, so the highest ends up serving
            metrics.models.labels(name, version).set(1)
            log.info("model loaded", model=name, version=version, took_s=round(time.monotonic() - start, 3))
    return table
