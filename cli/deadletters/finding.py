"""Finding dead letters on the topics of a service."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiokafka.structs import TopicPartition

from penstock.cli.deadletters.selection import Selection
from penstock.consumer.lane_settings import LaneSettings
from penstock.consumer.settings import ToolSettings
from penstock.schemas.dead_letters.letter import Coordinates, DeadLetter
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.dead_letters.reading import LetterPartition, letter_places, read_letters, read_one

_AT_ONCE: Final = 8  # partitions that are read side by side


@dataclass(frozen=True, slots=True)
class Listed:
    """A dead letter, and whether its request has been sent again."""

    letter: DeadLetter
    redriven: bool


def letter_topics(lane: LaneSettings) -> list[str]:
    """Return the dead-letter topics of a service, each once."""
    return list(dict.fromkeys(map(lane.dead_letter_topic_of, lane.request_topics)))


async def find(settings: ToolSettings, selection: Selection) -> list[Listed]:
    """Return the dead letters of a service that are meant, the oldest first, without what they hold of requests.

    Raises:
        TransportError: Kafka does not answer, or they cannot be read.
    """
    options = settings.kafka.client_options()
    async with ClusterReader(options) as cluster:
        places = await letter_places(cluster, letter_topics(settings.worker))
    turns = asyncio.Semaphore(_AT_ONCE)

    async def read(place: TopicPartition) -> LetterPartition:
        async with turns:
            return await read_letters(options, place)

    return listed(await asyncio.gather(*map(read, places)), selection)


async def find_one(settings: ToolSettings, at: Coordinates) -> Listed | None:
    """Return the dead letter at a place, with what it holds of its request; None where there is none of ours.

    Raises:
        TransportError: Kafka does not answer, or it cannot be read.
    """
    place, options = TopicPartition(at.topic, at.partition), settings.kafka.client_options()
    async with ClusterReader(options) as cluster:
        places = await letter_places(cluster, [at.topic])
    found = await read_one(options, place, at.offset) if place in places else None
    return None if found is None else Listed(*found)


def listed(partitions: Iterable[LetterPartition], selection: Selection) -> list[Listed]:
    """Return the dead letters that are meant, the oldest first."""
    found = [
        Listed(letter, letter.at.offset in partition.redriven)
        for partition in partitions
        for letter in partition.letters
        if selection.takes(letter)
    ]
    return sorted(found, key=lambda each: (each.letter.time_ms, each.letter.at))
