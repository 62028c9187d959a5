"""Sending the requests of dead letters again: which, how fast, and what became of it."""

import asyncio
import getpass
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka.structs import TopicPartition

from penstock.cli.deadletters.finding import Listed
from penstock.cli.figures import counted
from penstock.cli.terminal import printable
from penstock.consumer.settings import ToolSettings
from penstock.schemas.dead_letters.letter import Coordinates
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.dead_letters.redrive import Redrive, RedriveOutcome

_MOST: Final = 100  # of one transaction
_SHOWN: Final = 10  # that were left, for each cause


def me() -> str:
    """Return who this is, for the marks: user@machine."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user often has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


class Pace:
    """Lets so many a second go.

    Args:
        rate: how many; what is let go at once is waited for afterwards.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0  # monotonic seconds

    async def __call__(self, count: int) -> None:
        """Wait until `count` more may go."""
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        self._due = time.monotonic() + count / self._rate


async def redrive(
    settings: ToolSettings,
    letters: Sequence[Listed],
    outcome: RedriveOutcome,
    *,
    rate: float,
    by: str,
    on_begun: Callable[[float], object],
) -> None:
    """Send dead letters again, one partition after the other.

    Args:
        settings: of the service; requests go back to its request topics alone.
        letters: which, the oldest first.
        outcome: grows meanwhile.
        rate: how many a second.
        by: who does it.
        on_begun: called with how many more are about to be sent.

    Raises:
        TransportError: Kafka cannot be reached or refuses, or somebody else has begun to do the same.
    """
    by_place: dict[TopicPartition, list[int]] = {}
    for each in letters:
        topic, partition, offset = each.letter.at
        by_place.setdefault(TopicPartition(topic, partition), []).append(offset)
    options, pace = settings.kafka.client_options(), Pace(rate)

    async def paced(count: int) -> None:
        await pace(count)
        on_begun(count)

    async with ClusterReader(options) as cluster:
        topics = (await cluster.describe(settings.worker.request_topics)).topics
        targets = {name: len(topic.partitions) for name, topic in topics.items()}
        most = max(1, min(_MOST, int(rate / 4)))  # so that a transaction need not wait for its turn
        for place, offsets in by_place.items():
            redriving = Redrive(options, cluster, place, targets=targets, by=by, pace=paced, most=most, outcome=outcome)
            await redriving.run(offsets)


def document(found: RedriveOutcome) -> dict[str, Any]:
    """Return what became of it for programs."""
    left = [{"at": str(at), "why": why} for at, why in found.left]
    return {"sent": found.sent, "already": found.already, "not_sent": left}


def print_redriven(found: RedriveOutcome) -> None:
    """Print what became of it for a person."""
    print(f"{counted(found.sent, 'dead letter')} sent again.")
    if found.already:
        print(f"{counted(found.already, 'dead letter')} had been sent meanwhile by somebody else.")
    causes: dict[str, list[Coordinates]] = {}
    for at, why in found.left:
        causes.setdefault(why, []).append(at)
    for why, places in causes.items():
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        print(f"Not sent: {printable(why)}")
        print(f"  {printable(', '.join(map(str, places[:_SHOWN])))}{more}")
