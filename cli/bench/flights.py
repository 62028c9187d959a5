"""The requests that are on their way. Pure bookkeeping: no Kafka, no clock."""

import secrets
from typing import NamedTuple


class Leaving(NamedTuple):
    """When requests left together: when they should have, and when they did, in monotonic seconds."""

    due: float
    left: float


class Flights:
    """Requests by number, in the order in which they left.

    Their correlation ids begin with a random part of this run's own, so that replies to others are told apart.

    Attributes:
        prefix: of the ids.
        late: replies to requests that had ended: they were lost, or had their answer already.
    """

    def __init__(self) -> None:
        self.prefix = b"bench-%s-" % secrets.token_hex(6).encode()
        self.late = 0
        self._open: dict[int, Leaving] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._open)

    def __repr__(self) -> str:
        return f"<Flights {self.prefix.decode()} {len(self)} open>"

    def id_of(self, number: int) -> bytes:
        """Return the correlation id of a request."""
        return b"%s%d" % (self.prefix, number)

    def number_of(self, correlation: bytes | None) -> int | None:
        """Return the number of the request that an id belongs to; None where it is none of ours."""
        if correlation is None or not correlation.startswith(self.prefix):
            return None
        rest = correlation[len(self.prefix) :]
        return int(rest) if rest.isdigit() else None

    def reserve(self) -> int:
        """Return a number for a request that is not counted here."""
        self._next += 1
        return self._next - 1

    def depart(self, count: int, leaving: Leaving) -> range:
        """Open so many and return their numbers."""
        numbers = range(self._next, self._next + count)
        self._next += count
        self._open.update(dict.fromkeys(numbers, leaving))
        return numbers

    def land(self, number: int) -> Leaving | None:
        """End one and return when it left; None, and counted, where it had ended."""
        leaving = self._open.pop(number, None)
        if leaving is None:
            self.late += 1
        return leaving

    def expire(self, left_before: float) -> list[Leaving]:
        """End those that left before some time."""
        ended: list[Leaving] = []
        for leaving in self._open.values():  # in the order in which they left
            if leaving.left >= left_before:
                break
            ended.append(leaving)
        for number in [number for number, _ in zip(self._open, ended, strict=False)]:
            del self._open[number]
        return ended

    def older_than(self, due_before: float, most: int) -> int:
        """Return how many should have left before some time, counting no further than `most`."""
        count = 0
        for leaving in self._open.values():
            if leaving.due >= due_before or count >= most:
                break
            count += 1
        return count

    def abandon(self) -> int:
        """End all of them and return how many they were."""
        count = len(self._open)
        self._open.clear()
        return count
