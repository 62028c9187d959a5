"""The topics and the group of one service under study."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lane:
    """Where requests go and replies come from.

    Attributes:
        name: begins the names of what belongs to it.
        partitions: of both topics.
    """

    name: str
    partitions: int

    @property
    def requests(self) -> str:
        """The request topic."""
        return f"{self.name}-requests"

    @property
    def replies(self) -> str:
        """The reply topic."""
        return f"{self.name}-replies"

    @property
    def group(self) -> str:
        """The consumer group."""
        return self.name
