"""Model memory: which versions leave, so that another one fits under the cap.

Pure: no models, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.schemas.errors import ModelError


@dataclass(frozen=True, slots=True)
class Held:
    """A version in memory.

    Attributes:
        model, version: which one.
        bytes: of its files; what it takes in memory is near.
        used: when it ran last, or was loaded, monotonic seconds.
        runs: whether a batch of it runs or waits for the engine now.
        shadow: whether it runs copies only; it leaves before those that answer.
    """

    model: str
    version: str
    bytes: int
    used: float
    runs: bool
    shadow: bool = False


class NoRoomNow(ModelError):
    """A version does not fit beside those that run at the moment."""


def make_room(who: str, needed: int, held: Iterable[Held], cap: int | None) -> list[Held]:
    """Return the versions that have to leave for one that comes: shadows, then the least recently used first.

    Args:
        who: the version that comes, for the text of errors.
        needed: its bytes.
        held: what is in memory. What runs stays.
        cap: the most bytes of all versions; None is no bound.

    Raises:
        NoRoomNow: what runs takes the room.
        ModelError: it is larger than all the room.
    """
    if cap is None:
        return []
    if needed > cap:
        raise ModelError(f"{who} has {needed:,} bytes, and models.max_bytes is {cap:,}")
    there = list(held)
    excess = sum(each.bytes for each in there) + needed - cap
    leaving: list[Held] = []
    for each in sorted(there, key=lambda each: (not each.shadow, each.used)):
        if excess <= 0:
            break
        if not each.runs and each.bytes:
            leaving.append(each)
            excess -= each.bytes
    if excess > 0:
        raise NoRoomNow(
            f"{who} has {needed:,} bytes and does not fit beside the versions that run: models.max_bytes is {cap:,}"
        )
    return leaving
