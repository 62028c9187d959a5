"""For how long something that should move has stood still. Pure: time comes in as `now`."""

from collections.abc import Hashable


class Stillness:
    """Watches values by name.

    A clock runs from when a value that should move was first seen as it is. It begins anew when the value changes,
    and when there is no reason to move.
    """

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[object, float]] = {}

    def __repr__(self) -> str:
        return f"<Stillness {len(self._seen)} watched>"

    def see(self, name: Hashable, value: object, now: float, *, should_move: bool) -> float:
        """Return for how long a value has stood still although it should move, in seconds."""
        if not should_move:
            self._seen.pop(name, None)
            return 0.0
        before = self._seen.get(name)
        if before is None or before[0] != value:
            self._seen[name] = (value, now)
            return 0.0
        return now - before[1]

    def forget(self, name: Hashable) -> None:
        """Begin anew with a value."""
        self._seen.pop(name, None)

    def forget_all(self) -> None:
        """Begin anew with all: what happened until now says nothing."""
        self._seen.clear()
