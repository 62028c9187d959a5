"""Which version answered which customer, and whether that is as it was commanded. Pure.

A deployment is in force from the moment when its command is given, on the worker that is first to read it, until every
worker has acknowledged the next one. So a request has one or two versions that may answer it, and mostly one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from penstock.core.routing import Split


class Answer(NamedTuple):
    """One answer.

    Attributes:
        asked, came: when, in seconds on the monotonic clock.
        customer: the key of the request, on which its version depends.
        version: that the reply names.
    """

    asked: float
    came: float
    customer: bytes
    version: str | None


@dataclass(slots=True)
class InForce:
    """A deployment, and when some worker may have served it, in seconds on the monotonic clock."""

    split: Split
    since: float
    until: float = inf


def misplaced(answers: Sequence[Answer], deployments: Iterable[InForce]) -> list[Answer]:
    """Return the answers by a version that no deployment in force gives to their customer."""
    left = list(answers)
    for deployment in deployments:
        if not left:
            break
        chosen = deployment.split.choose([answer.customer for answer in left])
        left = [
            answer
            for answer, place in zip(left, chosen, strict=True)
            if answer.version != deployment.split.versions[place]
            or answer.came < deployment.since
            or answer.asked > deployment.until
        ]
    return left


def versions(answers: Iterable[Answer], since: float, until: float) -> Counter[str]:
    """Return how many requests that were asked and answered in this time each version answered."""
    return Counter(each.version or "" for each in answers if since <= each.asked and each.came <= until)


def rate(answers: Iterable[Answer], since: float, until: float) -> float:
    """Return the answers a second that came in this time."""
    return sum(since <= each.came < until for each in answers) / (until - since)
