"""When a group's partitions were open, as the logs of its members tell it. Pure.

Each member logs "partitions opened" once it has read the committed state of what a rebalance gave it, also when that
is no partition. A rebalance closes the partitions of every member, so it is over when all of them have said so again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Opening:
    """One member has opened what it was given.

    Attributes:
        at: epoch seconds.
        member: which one.
        partitions: how many it was given.
    """

    at: float
    member: str
    partitions: int


def openings_of(lines: Iterable[Mapping[str, Any]], service: str) -> list[Opening]:
    """Return what the log of one service says.

    Args:
        lines: of its log.
        service: begins the names of its members; the number of the process ends them.
    """
    return [
        Opening(epoch_s(line), f"{service}/{line.get('process', 0)}", int(line["partitions"]))
        for line in lines
        if line.get("event") == "partitions opened"
    ]


def epoch_s(line: Mapping[str, Any]) -> float:
    """Return when a line was logged, epoch seconds."""
    return datetime.fromisoformat(str(line["timestamp"])).timestamp()


def all_open_at(openings: Iterable[Opening], members: Iterable[str], partitions: int, after: float) -> float | None:
    """Return the first moment after `after` at which every partition is open again, epoch seconds; None before it.

    Args:
        openings: of all members that there were, in any order.
        members: those that share the partitions from then on.
        partitions: of the topic.
        after: what made the group rebalance, epoch seconds.
    """
    shares: dict[str, int] = {}
    wanted = set(members)
    for opening in sorted(openings, key=lambda each: each.at):
        if opening.at < after or opening.member not in wanted:
            continue
        shares[opening.member] = opening.partitions
        if len(shares) == len(wanted) and sum(shares.values()) == partitions:
            return opening.at
    return None
