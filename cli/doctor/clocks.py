"""Judges the clocks: a request's time-out counts from its record's timestamp, by the wall clock of a worker."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka.structs import TopicPartition

from penstock.cli.doctor.finding import KAFKA, Finding
from penstock.cli.figures import duration

_NOTICED_S: Final = 1.0  # less than that no time-out of a request can mean
_HARMFUL_S: Final = 10.0
_KEEP_TIME: Final = "Let both machines keep time by NTP; `chronyc tracking` or `timedatectl` shows whether one does."


@dataclass(frozen=True, slots=True)
class Clock:
    """Somebody's clock against ours.

    Attributes:
        whose: as `the cluster's controller`.
        ahead_s: seconds that it is ahead of ours.
        error_s: how far that may be off.
    """

    whose: str
    ahead_s: float
    error_s: float

    @property
    def off_s(self) -> float:
        """The seconds that it is off at least, whichever way."""
        return max(0.0, abs(self.ahead_s) - self.error_s)


def judge_clocks(clocks: Iterable[Clock]) -> list[Finding]:
    """Judge clocks of others. None is no finding: there is nothing to compare with."""
    found = []
    for clock in clocks:
        if clock.off_s <= _NOTICED_S:
            near = max(0.1, abs(clock.ahead_s) + clock.error_s)
            found.append(KAFKA.ok("clock", f"the clock of {clock.whose} is within {near:.1f} s of ours"))
            continue
        way = "ahead of" if clock.ahead_s > 0 else "behind"
        what = f"the clock of {clock.whose} is {duration(clock.off_s)} {way} ours"
        why = "A request's time-out counts from its record's timestamp: across such clocks it comes early, or never."
        make = KAFKA.fault if clock.off_s > _HARMFUL_S else KAFKA.warning
        found.append(make("clock", what, why, _KEEP_TIME))
    return found


def judge_controller(clock: Clock | None, *, controlled: bool) -> list[Finding]:
    """Judge the controller and its clock.

    Args:
        clock: None where it could not be seen.
        controlled: whether a controller answers.
    """
    if not controlled:
        why = "Until one does, no topic can be made, and no partition gets a new leader when a broker fails."
        mend = "Start the controllers: more than half of them must run."
        return [KAFKA.warning("controller", "no controller answers", why, mend)]
    if clock is None:
        what = "the controller's clock: not for this user to see (Describe on the cluster)"
        return [KAFKA.skipped("clock", what)]
    return judge_clocks([clock])


def judge_newest(newest_ms: Mapping[TopicPartition, int], now_s: float) -> Iterator[Finding]:
    """Judge the newest record of each request topic: its timestamp cannot be in the future.

    Args:
        newest_ms: by partition, the highest timestamp in epoch milliseconds.
        now_s: our wall clock.
    """
    ahead = {place: ms / 1000 - now_s for place, ms in newest_ms.items() if ms / 1000 - now_s > _NOTICED_S}
    for topic in dict.fromkeys(place.topic for place in ahead):
        place, off_s = max(((p, s) for p, s in ahead.items() if p.topic == topic), key=lambda pair: pair[1])
        yield KAFKA.warning(
            "timestamps",
            f"{topic}/{place.partition} holds a record from {duration(off_s)} in the future",
            "Its producer's clock is ahead of ours: its time-outs come late by that much.",
            _KEEP_TIME,
        )
