"""Which models are loaded, and which version answers.

Read and changed on the event loop alone: a batch is given its model when it is handed to the engine, so a change takes
effect between two batches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from penstock.core.evicted_model import EvictedModel
from penstock.core.model import Model
from penstock.core.routing import Split, all_to
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_NO_ALIASES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(slots=True)
class _Entry:
    """What is known of one model."""

    split: Split
    versions: dict[str, Model] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    refuses_not_finite: bool = False


class ModelTable:
    """The models by name and version, and how requests that pin no version are divided among them.

    Args:
        default: the model of a request that names none; None makes a name compulsory.

    Attributes:
        epoch: offset of the control command that is in force; -1 where none is.
        on_change: called after each change.
        on_wanted: called with name and version when a batch waits for one that is not loaded; more than once.
    """

    def __init__(self, default: str | None = None) -> None:
        self.default = default
        self.epoch = -1
        self.on_change: Callable[[], None] = _nothing
        self.on_wanted: Callable[[str, str], None] = _nothing
        self._entries: dict[str, _Entry] = {}
        self._evicted = 0

    def add(self, model: Model, *, serve: bool = True) -> None:
        """Add a loaded version; with `serve`, requests that pin no version get it from the next batch on."""
        entry = self._entries.setdefault(model.name, _Entry(all_to(model.version)))
        entry.versions[model.version] = model
        if serve:
            entry.split = all_to(model.version)
        self._changed()

    def divide(
        self,
        name: str,
        split: Split,
        *,
        aliases: Mapping[str, str] = _NO_ALIASES,
        refuses_not_finite: bool = False,
    ) -> None:
        """Set what requests get from the next batch on.

        Args:
            name: the model.
            split: of the requests that pin no version; all its versions are in the table.
            aliases: other names by which versions may be pinned.
            refuses_not_finite: answers with NaN or infinity become BAD_OUTPUT.
        """
        entry = self._entries[name]
        entry.split, entry.aliases, entry.refuses_not_finite = split, aliases, refuses_not_finite
        self._changed()

    def replace(self, model: Model) -> Model:
        """Put a version in the place of the same one, and return what was there: it was loaded again, or evicted."""
        versions = self._entries[model.name].versions
        before = versions[model.version]
        versions[model.version] = model
        self._changed()
        return before

    def remove(self, name: str, version: str) -> Model:
        """Take a version out and return it: no batch gets it from now on. The last version takes the model along."""
        entry = self._entries[name]
        model = entry.versions.pop(version)
        if not entry.versions:
            del self._entries[name]
        self._changed()
        return model

    def resolve(self, name: str | None, version: str | None = None) -> Model:
        """Return a version that answers; where several do, one of them.

        Raises:
            RequestError: UNKNOWN_MODEL or VERSION_GONE.
        """
        wanted = name or self.default
        if wanted is None:
            raise RequestError(ErrorCode.UNKNOWN_MODEL, "the request names no model and the service has no default")
        entry = self._entries.get(wanted)
        if entry is None:
            raise RequestError(ErrorCode.UNKNOWN_MODEL, f"no model {wanted!r} here; there is {', '.join(sorted(self))}")
        pinned = entry.split.first if version is None else entry.aliases.get(version, version)
        model = entry.versions.get(pinned)
        if model is None:
            raise RequestError(
                ErrorCode.VERSION_GONE,
                f"model {wanted!r} has no version {version!r} here; there is {', '.join(entry.versions)}",
            )
        return model

    def split_of(self, name: str) -> Split | None:
        """Return how a model's requests are divided; None when one version gets them all, or there is no such model."""
        entry = self._entries.get(name)
        return None if entry is None or entry.split.sole is not None else entry.split

    def refuses_not_finite(self, name: str) -> bool:
        """Tell whether an answer of a model must be finite."""
        entry = self._entries.get(name)
        return entry is not None and entry.refuses_not_finite

    def is_ready(self, name: str, version: str | None) -> bool:
        """Tell whether requests of a model could run now; those that wait for a version are said to `on_wanted`."""
        if not self._evicted or name not in self._entries:
            return True
        entry = self._entries[name]
        names = (entry.aliases.get(version, version),) if version is not None else entry.split.versions
        found = ((each, entry.versions.get(each)) for each in names)
        absent = [each for each, model in found if isinstance(model, EvictedModel) and model.waits]
        for each in absent:
            self.on_wanted(name, each)
        return not absent

    def close(self) -> None:
        """Close every model, also after one that fails to."""
        for model in self.loaded():
            close_model(model)
        self._entries = {}

    def loaded(self) -> Iterator[Model]:
        """Yield every version, those that have left memory among them."""
        for entry in list(self._entries.values()):
            yield from entry.versions.values()

    def shares(self) -> dict[tuple[str, str], float]:
        """Return the part of its model's unpinned requests that each version gets, by name and version."""
        return {
            (name, version): entry.split.share(version)
            for name, entry in self._entries.items()
            for version in entry.versions
        }

    def serving(self) -> list[str]:
        """Return what answers requests that pin no version, as `name@version`."""
        return [f"{name}@{version}" for (name, version), share in self.shares().items() if share > 0]

    def _changed(self) -> None:
        self._evicted = sum(isinstance(model, EvictedModel) for model in self.loaded())
        self.on_change()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<ModelTable {', '.join(self.serving())}>"


def close_model(model: Model) -> None:
    """Close a model; what it raises is logged."""
    try:
        model.close()
    except Exception as error:  # it is somebody else's code, and the end in any case
        log.warning("model failed to close", model=model.name, version=model.version, error=repr(error))


def _nothing(*_: object) -> None:
    """Tell nobody."""
