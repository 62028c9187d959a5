"""The cap on failures at work: it is told outcomes, asked before each fetch, and says loudly what it does."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from penstock.consumer.failure_cap.cap import CapPolicy, FailureCap
from penstock.consumer.failure_cap.causes import NO_REPLY, count_unanswerable
from penstock.consumer.pending import PendingRequest
from penstock.consumer.settings import WorkerSettings
from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable
from penstock.schemas.logger import Logger

log = Logger(__name__)

_Place = TypeVar("_Place")
_Record = TypeVar("_Record")


class FailureGate:
    """Lets requests in, or holds them back in Kafka while nearly all of them fail.

    Args:
        policy: when to hold.
        metrics: where that is shown.
        max_records: the most records of one fetch call, while nothing is held.
        serving: which versions answer now, as `name@version`; when others do, all is taken again.
        idle: tells whether everything that was taken in is finished.

    Attributes:
        most: records that the next fetch call may bring, 1 at least.
        holding: nothing may be fetched; this and `most` change in `look` only.
    """

    def __init__(
        self,
        policy: CapPolicy,
        metrics: Metrics,
        *,
        max_records: int,
        serving: Callable[[], Sequence[str]],
        idle: Callable[[], bool],
    ) -> None:
        self._cap = FailureCap(policy)
        self._metrics = metrics
        self._max_records = max_records
        self._serving = serving
        self._served: list[str] = []  # when the hold began
        self._idle = idle
        self.most = max_records
        self.holding = False

    @classmethod
    def of(
        cls, worker: WorkerSettings, metrics: Metrics, models: ModelTable, idle: Callable[[], bool]
    ) -> "FailureGate":
        """Make the gate of a worker."""
        most = worker.fetch_max_records
        return cls(worker.cap_policy(), metrics, max_records=most, serving=models.serving, idle=idle)

    def __repr__(self) -> str:
        return f"<FailureGate {'holding' if self.holding else 'open'} {self._cap!r}>"

    @property
    def reason(self) -> str | None:
        """Why next to nothing is taken; None while all is."""
        reason = self._cap.reason
        return None if reason is None else f"{reason}; no more are taken until a few succeed, or others serve"

    def count(self, model: str, good: int, failed: int) -> None:
        """Count what became of a batch; called once for each."""
        now = time.monotonic()
        if good and model:
            self._cap.observe(NO_REPLY, good, 0, now)
        if not self._cap.observe(model, good, failed, now):
            return
        log.error(
            "nearly all requests fail: no more are taken. Deploy another version, or mend the cause",
            why=self._cap.reason,
            model=model or "all",
        )
        self._served = list(self._serving())
        self._metrics.failure_cap_trips.labels(model or "all").inc()
        self._metrics.failure_cap.set(1)

    def count_buried(self, requests: Iterable[PendingRequest]) -> None:
        """Count requests that become dead letters."""
        failed = count_unanswerable(requests)
        if failed:
            self.count(NO_REPLY, 0, failed)

    def look(self) -> bool:
        """Find out how much may be fetched now, and tell whether that is nothing."""
        if not self._cap.holds:
            return False
        if list(self._serving()) != self._served:
            self._cap.reset()
        room = self._cap.room(time.monotonic(), idle=self._idle())
        if room is None:
            log.info("requests are taken again", serving=self._serving())
            self._metrics.failure_cap.set(0)
        self.holding = room == 0
        self.most = self._max_records if room is None else min(self._max_records, max(1, room))
        return self.holding

    def let_in(self, fetched: dict[_Place, list[_Record]]) -> dict[_Place, list[_Record]]:
        """Count what was fetched, and return it."""
        if self._cap.holds:
            self._cap.took(sum(map(len, fetched.values())))
        return fetched
