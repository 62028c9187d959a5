"""Versions that have left memory, and that requests ask for: when each is to be loaded again.

Requests wait for the load. If it fails they are answered with an error, and so are those that come until it may be
tried again; then the first request that comes has it tried. Where only room is missing, because other versions run
this moment, they wait on for a while: that is no failure yet.
"""

from typing import Final

from penstock.consumer.control.served_models import ServedModels
from penstock.core.model_memory import NoRoomNow
from penstock.core.reconciler import retry_after_s
from penstock.schemas.errors import PenstockError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_ROOM_S: Final = 1.0
_PATIENCE: Final = 10  # times that room is looked for, before requests are answered without


class Returning:
    """Knows which versions have to come back.

    Args:
        models: what there is; versions that cannot come back are marked there.
    """

    def __init__(self, models: ServedModels) -> None:
        self._models = models
        self._due: dict[tuple[str, str], float] = {}  # by model and version, monotonic seconds
        self._tries: dict[tuple[str, str], int] = {}

    def __repr__(self) -> str:
        return f"<Returning {', '.join(map('@'.join, self._due))}>"

    @property
    def soonest(self) -> float:
        """When there is something to do, monotonic seconds; infinity where there is nothing."""
        return min(self._due.values(), default=float("inf"))

    def want(self, model: str, version: str) -> bool:
        """Note that requests wait for a version; return whether that is news."""
        news = (model, version) not in self._due
        if news:
            self._due[model, version] = 0.0
        return news

    def next(self, now: float) -> tuple[str, str] | None:
        """Return a version that is to be loaded now."""
        for (model, version), due in list(self._due.items()):
            place = self._models.evicted(model, version)
            if place is None:  # it is there again, or retired
                del self._due[model, version]
                self._tries.pop((model, version), None)
            elif now >= due and not place.waits:  # whoever asks next has it tried again
                del self._due[model, version]
                self._models.put_back(place.awaited())
            elif now >= due:
                return model, version
        return None

    def failed(self, model: str, version: str, error: PenstockError, now: float) -> None:
        """Remember that a version could not be loaded."""
        place = self._models.evicted(model, version)
        if place is None:
            return
        tries = self._tries[model, version] = self._tries.get((model, version), 0) + 1
        if isinstance(error, NoRoomNow) and tries < _PATIENCE:
            self._due[model, version] = now + _ROOM_S
            return
        self._due[model, version] = now + retry_after_s(tries)
        self._models.put_back(place.put_off(str(error)))
        if tries in (1, _PATIENCE):
            log.error("a version that requests ask for cannot be loaded", version=f"{model}@{version}", why=str(error))
