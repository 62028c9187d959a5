"""Where versions come from: the repository, or the program that a worker is embedded in. Blocks: off the event loop."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from penstock.consumer.control.tracked_model import TrackedModel
from penstock.core.given_models import given_models
from penstock.core.isolation.choice import isolation_of
from penstock.core.model import Model, Signature
from penstock.core.model_table import close_model
from penstock.core.repository import check_default, wanted
from penstock.core.self_test import self_test
from penstock.core.settings import ServedModelsSettings
from penstock.core.store.model_store import open_store
from penstock.schemas.errors import ConfigurationError, ModelError


class Stock(Protocol):
    """What there is to serve.

    Attributes:
        copies: whether a version can be there more than once: to answer, and as a shadow.
    """

    copies: bool

    def names(self) -> Sequence[str]:
        """Return the models that the settings want.

        Raises:
            ConfigurationError, ModelError: there is none, or one is not there.
        """
        ...

    def served(self, model: str) -> Sequence[str]:
        """Return the versions of a model that the settings want, ascending; none where they do not want the model.

        Raises:
            ModelError: the repository cannot say.
        """
        ...

    def resolve(self, model: str, name: str) -> str:
        """Return the version that a name means.

        Raises:
            ModelError: it means none.
        """
        ...

    def look_up(self, model: str, version: str) -> tuple[int, Signature | None]:
        """Return the bytes of a version, and what it takes and gives where that is known before it is loaded.

        Raises:
            ModelError: there is no such version.
        """
        ...

    def signature(self, model: str, version: str) -> Signature:
        """Return what a version takes and gives; where nobody has written it down, it is loaded for a moment.

        Raises:
            ModelError: there is no such version, or it cannot be loaded.
        """
        ...

    def load(self, model: str, version: str, *, finite: bool) -> TrackedModel:
        """Load a version, warm it up and test it.

        Raises:
            ModelError: it is not what was published, cannot be loaded, or fails its test.
        """
        ...

    def close(self) -> None:
        """Release what is kept."""
        ...


class RepositoryStock:
    """The versions of the model repository.

    Args:
        settings: which models, and how they run.
    """

    copies = True

    def __init__(self, settings: ServedModelsSettings) -> None:
        self._settings = settings
        self._store = open_store(settings)

    def names(self) -> Sequence[str]:
        """Return what the settings want of the repository."""
        found = wanted(self._store.repository, self._settings)
        check_default(self._settings, found, str(self._settings.repository))
        return list(found)

    def served(self, model: str) -> Sequence[str]:
        """Return the versions that the model's `version_policy` serves."""
        repository = self._store.repository
        return repository.served(model) if model in (self._settings.load or repository.names()) else ()

    def resolve(self, model: str, name: str) -> str:
        """Return the version that a name means."""
        return self._store.resolve(model, name)

    def look_up(self, model: str, version: str) -> tuple[int, Signature | None]:
        """Return bytes and signature of a version, the latter from its manifest."""
        found = self._store.describe(model, version)
        return found.size, found.signature

    def signature(self, model: str, version: str) -> Signature:
        """Return the signature of a version: its manifest's, or that of the model itself."""
        written = self._store.describe(model, version).signature
        if written is not None:
            return written
        loaded = self._store.load(model, version)
        close_model(loaded)
        return loaded.signature

    def load(self, model: str, version: str, *, finite: bool) -> TrackedModel:
        """Load a version, warm it up and test it."""
        size = self._store.describe(model, version).size
        return _tested(TrackedModel(self._store.load(model, version), size), finite=finite)

    def close(self) -> None:
        """Keep nothing."""


class GivenStock:
    """The models that a program brings itself. They are opened once, and stay so: they have one version each.

    Args:
        settings: which of them, and how they run.
        given: by name, see `penstock.core.given_models`.
    """

    copies = False

    def __init__(self, settings: ServedModelsSettings, given: Mapping[str, object]) -> None:
        absent = [name for name in settings.load if name not in given]
        if absent:
            raise ConfigurationError(f"models.load: no model {absent[0]!r} among those given: {', '.join(given)}")
        check_default(settings, given, "those given")
        chosen = {name: given[name] for name in settings.load or given}
        made = given_models(
            chosen,
            providers=settings.providers,
            intra_op_threads=settings.intra_op_threads,
            isolation=isolation_of(settings),
        )
        self._models: dict[str, Model] = {model.name: model for model in made}

    def names(self) -> Sequence[str]:
        """Return those that are wanted."""
        return list(self._models)

    def served(self, model: str) -> Sequence[str]:
        """Return the one version that there is."""
        return (self._models[model].version,) if model in self._models else ()

    def resolve(self, model: str, name: str) -> str:
        """Return the version that a name means: the only one."""
        found = self._models.get(model)
        if found is None or name not in (found.version, "latest"):
            raise ModelError(f"model {model!r} has no version {name!r} in the program that runs this worker")
        return found.version

    def look_up(self, model: str, version: str) -> tuple[int, Signature | None]:
        """Return the signature; how large it is nobody knows."""
        return 0, self._models[model].signature

    def signature(self, model: str, version: str) -> Signature:
        """Return the signature."""
        return self._models[model].signature

    def load(self, model: str, version: str, *, finite: bool) -> TrackedModel:
        """Test the model, which is there."""
        return _tested(TrackedModel(self._models[model], 0, keeps=True), finite=finite)

    def close(self) -> None:
        """Close all."""
        for model in self._models.values():
            close_model(model)


def _tested(model: TrackedModel, *, finite: bool) -> TrackedModel:
    try:
        self_test(model, finite=finite)
    except BaseException:
        close_model(model)
        raise
    return model.rested()
