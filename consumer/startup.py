"""What must be there before a worker serves: its topics, and its models, loaded and warm."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from penstock.core.given_models import given_models
from penstock.core.isolation.choice import isolation_of
from penstock.core.metrics import Metrics
from penstock.core.model import Model
from penstock.core.model_table import ModelTable
from penstock.core.repository import check_default, open_repository, wanted
from penstock.core.settings import ServedModelsSettings
from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.schemas.logger import Logger
from penstock.transport.topics import TopicDirectory, create_topics

log = Logger(__name__)


async def ensure_topics(options: dict[str, Any], directory: TopicDirectory, topics: tuple[str, ...]) -> None:
    """Create the service's own topics where they are missing, with the broker's default settings, and say so.

    Raises:
        TransportError: a topic is missing and cannot be created.
    """
    missing = {topic: -1 for topic in topics if not directory.partitions(topic)}
    if not missing:
        return
    for topic in await create_topics(options, missing):
        log.warning("topic did not exist; created with the broker's defaults", topic=topic, see="penstock doctor")
    await directory.wait_for(missing, timeout_s=10.0)
    still = [topic for topic in missing if not directory.partitions(topic)]
    if still:
        raise TransportError(f"topics {still} were created but no broker lists them yet; start again")


def load_models(
    settings: ServedModelsSettings, metrics: Metrics, given: Mapping[str, object] | None = None
) -> ModelTable:
    """Load and warm up every model that is to be served. Blocks: call it off the event loop.

    Args:
        settings: which models, and how they run.
        metrics: where they are listed.
        given: models that a program brings itself, see `penstock.core.given_models`; None takes the repository's.

    Raises:
        ConfigurationError: the repository, the default model or one to load is not there.
        ModelError: a model cannot be loaded or run.
    """
    versions = _found(settings) if given is None else _brought(settings, given)
    table = ModelTable(settings.default)
    try:
        for name, version, load in versions:
            start = time.monotonic()
            model = load()
            table.add(model)  # versions ascend, so the highest ends up serving
            model.warm_up()
            metrics.models.labels(name, version).set(1)
            log.info("model loaded", model=name, version=version, took_s=round(time.monotonic() - start, 3))
    except BaseException:
        table.close()
        raise
    return table


_Loader = tuple[str, str, Callable[[], Model]]  # name, version, and what loads it


def _found(settings: ServedModelsSettings) -> list[_Loader]:
    """List what the repository has of the models wanted."""
    repository = open_repository(settings)
    available = wanted(repository, settings)
    check_default(settings, available, str(settings.repository))
    return [
        (name, version, partial(repository.load, name, version))
        for name, versions in available.items()
        for version in versions
    ]


def _brought(settings: ServedModelsSettings, given: Mapping[str, object]) -> list[_Loader]:
    """List the models that the program brings, as far as they are wanted."""
    absent = [name for name in settings.load if name not in given]
    if absent:
        raise ConfigurationError(f"models.load: no model {absent[0]!r} among those given: {', '.join(given)}")
    check_default(settings, given, "those given")
    chosen = {name: given[name] for name in settings.load or given}
    models = given_models(
        chosen,
        providers=settings.providers,
        intra_op_threads=settings.intra_op_threads,
        isolation=isolation_of(settings),
    )
    return [(model.name, model.version, partial(_itself, model)) for model in models]


def _itself(model: Model) -> Model:
    return model
