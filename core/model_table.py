"""Which models are loaded, and which version answers."""

from collections.abc import Iterator

from penstock.core.model import Model
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.logger import Logger

log = Logger(__name__)


class ModelTable:
    """The loaded models by name and version.

    Read by the event loop and by the engine's thread; each change replaces a whole entry, so a reader sees the
    old state or the new one.

    Args:
        default: the model of a request that names none; None makes a name compulsory.
    """

    def __init__(self, default: str | None = None) -> None:
        self.default = default
        self._versions: dict[str, dict[str, Model]] = {}
        self._serving: dict[str, str] = {}

    def add(self, model: Model, *, serve: bool = True) -> None:
        """Add a loaded version; with `serve`, requests that pin no version get it from the next batch on."""
        self._versions[model.name] = {**self._versions.get(model.name, {}), model.version: model}
        if serve or model.name not in self._serving:
            self._serving[model.name] = model.version

    def resolve(self, name: str | None, version: str | None = None) -> Model:
        """Return the version that answers.

        Raises:
            RequestError: UNKNOWN_MODEL or VERSION_GONE.
        """
        wanted = name or self.default
        if wanted is None:
            raise RequestError(ErrorCode.UNKNOWN_MODEL, "the request names no model and the service has no default")
        versions = self._versions.get(wanted)
        if versions is None:
            raise RequestError(ErrorCode.UNKNOWN_MODEL, f"no model {wanted!r} here; there is {', '.join(sorted(self))}")
        model = versions.get(self._serving[wanted] if version is None else version)
        if model is None:
            raise RequestError(
                ErrorCode.VERSION_GONE,
                f"model {wanted!r} has no version {version!r} here; there is {', '.join(versions)}",
            )
        return model

    def close(self) -> None:
        """Close every model, also after one that fails to."""
        for model in self.loaded():
            try:
                model.close()
            except Exception as error:  # it is somebody else's code, and the end in any case
                log.warning("model failed to close", model=model.name, version=model.version, error=repr(error))
        self._versions = {}

    def loaded(self) -> Iterator[Model]:
        """Yield every loaded version."""
        for versions in list(self._versions.values()):
            yield from versions.values()

    def serving(self) -> list[str]:
        """Return what answers requests that pin no version, as `name@version`."""
        return [f"{name}@{version}" for name, version in self._serving.items()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)

    def __repr__(self) -> str:
        return f"<ModelTable {', '.join(self.serving())}>"
