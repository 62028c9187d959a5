"""What runs next of a batch that failed: parts of it, down to the request that is to blame. Pure: nothing runs here."""

from typing import Final, NamedTuple

from penstock.consumer.pending import PendingRequest
from penstock.core.batch import Batch
from penstock.schemas.errors import (
    ErrorCode,
    ModelCrashed,
    PenstockError,
    RequestError,
    TransientModelError,
    ValueRefused,
)

LONE_TRIES: Final = 2  # runs that a request gets alone while each ends with a death
# A death costs a start of the model's process, which takes as long as hundreds of runs: better more parts than deaths.
_HALVINGS: Final = 4


class Part(NamedTuple):
    """A batch that is to run.

    Attributes:
        batch: what runs.
        lone_deaths: how often a process has died of its only request, run alone.
        suspect: this process may die of it, so that nothing else is to run with it.
    """

    batch: Batch[PendingRequest]
    lone_deaths: int = 0
    suspect: bool = False


def next_parts(failed: Part, error: PenstockError, now: float) -> list[Part]:
    """Return what runs in the place of a batch that failed, in order; nothing when all its requests are to fail.

    Args:
        failed: what ran.
        error: what became of it.
        now: monotonic seconds; what has expired meanwhile does not run again.
    """
    if isinstance(error, RequestError | TransientModelError):
        return []
    batch, lone_deaths = failed.batch, failed.lone_deaths
    crashed = isinstance(error, ModelCrashed)
    if _live(batch) > 1:
        parts = [batch]
        for _ in range(_HALVINGS if crashed else 1):
            parts = [half for part in parts for half in _halved(part, now)]
        return [Part(part) for part in parts]
    if not crashed or lone_deaths + 1 >= LONE_TRIES:
        return []
    return [Part(batch, lone_deaths + 1)]


def blame(error: PenstockError) -> RequestError:
    """Return what the requests of a batch are answered with when nothing of it runs again."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ModelCrashed):
        return poison(f"{error}; it was run alone {LONE_TRIES} times")
    if isinstance(error, TransientModelError):
        return RequestError(ErrorCode.UNAVAILABLE, str(error))
    return RequestError(ErrorCode.BAD_VALUE if isinstance(error, ValueRefused) else ErrorCode.MODEL_FAILED, str(error))


def poison(why: str) -> RequestError:
    """Return the error of a request that kills whatever runs it."""
    return RequestError(ErrorCode.POISON, f"the request kills the process that runs the model: {why}")


def _halved(batch: Batch[PendingRequest], now: float) -> list[Batch[PendingRequest]]:
    return batch.halves(now) if _live(batch) > 1 else [batch]


def _live(batch: Batch[PendingRequest]) -> int:
    return sum(request.rows > 0 for request in batch.requests)
