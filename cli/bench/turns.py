"""Which partitions requests go to: each in turn, as those of many clients would. Pure."""

from collections.abc import Iterator
from typing import Final

_TOGETHER: Final = 8  # requests that leave at one moment and make one record batch


class Turns:
    """Gives partitions their turns.

    What leaves at one moment is spread over all of them, but in groups that are worth a record batch.

    Args:
        partitions: how many there are.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._next = 0

    def __repr__(self) -> str:
        return f"<Turns of {self._partitions}>"

    def take(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield partitions, each with how many of so many requests it gets."""
        size = max(_TOGETHER, -(-count // self._partitions))
        while count > 0:
            yield self._next, min(size, count)
            self._next = (self._next + 1) % self._partitions
            count -= size
