"""What a worker says of itself, put together of what its parts know."""

import resource
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.consumer.control.applying import Applying
from penstock.consumer.control.dividing import IDLE_ROWS_PER_S
from penstock.consumer.control.follower import Follower
from penstock.consumer.control.outcomes import Outcomes
from penstock.consumer.control.served_models import ServedModels
from penstock.schemas.control.state import ControlState
from penstock.schemas.control.status import Demand, WorkerStatus

_PAGE: Final = resource.getpagesize()
_STATM: Final = Path("/proc/self/statm")
_MOST_IDLE: Final = 32  # throttles for which nothing asks; they are told while they are few, for whoever looks


@dataclass(slots=True)
class Running:
    """What is known of a worker once it has a pipeline.

    Attributes:
        state: returns starting, running, draining or stopped.
        partitions: returns how many are open.
        demand: returns what has come to each throttle since it was asked last.
        lanes: returns the request topics that are not running, and what they are.
    """

    state: Callable[[], str] = lambda: "starting"
    partitions: Callable[[], int] = lambda: 0
    demand: Callable[[], Mapping[str, Demand]] = dict
    lanes: Callable[[], Mapping[str, str]] = dict


class OwnStatus:
    """Makes the reports of a worker.

    Args:
        worker: its client id.
        interval_s: between reports; demand is counted over as long.
        follower: what has been read.
        outcomes, applying, models: what became of it, what is being done, and what there is.
    """

    def __init__(
        self,
        worker: str,
        interval_s: float,
        *,
        follower: Follower,
        outcomes: Outcomes,
        applying: Applying,
        models: ServedModels,
    ) -> None:
        self._worker = worker
        self._interval_s = interval_s
        self._follower = follower
        self._outcomes = outcomes
        self._applying = applying
        self._models = models
        self._started = _now_ms()
        self._demand: Mapping[str, Demand] = {}
        self._counted = float("-inf")  # when demand was, monotonic seconds
        self.running = Running()

    def __repr__(self) -> str:
        return f"<OwnStatus of {self._worker}>"

    def report(self, applied: ControlState) -> WorkerStatus:
        """Return what there is to say now.

        Args:
            applied: the state that throttles and lanes follow; models follow it but for what is pending.
        """
        if time.monotonic() - self._counted >= self._interval_s / 2:
            self._counted = time.monotonic()
            self._demand = worth_telling(self.running.demand())
        return WorkerStatus(
            worker=self._worker,
            started=self._started,
            time=_now_ms(),
            interval_s=self._interval_s,
            state=self.running.state(),
            epoch=applied.epoch,
            digest=applied.digest(),
            pending=tuple(self._outcomes.pending()),
            refused=tuple(self._follower.refused),
            failed=tuple(self._outcomes.failures()),
            versions=(*self._models.versions(), *self._applying.loading),
            model_bytes=self._models.bytes,
            rss_bytes=_resident_bytes(),
            partitions=self.running.partitions(),
            demand=dict(self._demand),
            lanes=dict(self.running.lanes()),
        )


def worth_telling(demand: Mapping[str, Demand]) -> Mapping[str, Demand]:
    """Return what is reported of throttles: where many are idle, those for which something asks or waits."""
    asked = {scope: each for scope, each in demand.items() if each.rows_per_s >= IDLE_ROWS_PER_S or each.waiting}
    return asked if len(demand) - len(asked) > _MOST_IDLE else demand


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _resident_bytes() -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[1]) * _PAGE
    return 0  # no Linux: nobody knows
