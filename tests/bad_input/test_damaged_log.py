"""Row 9: record batches that are damaged on the broker's disk, or on their way.

Each case has a partition of its own: a good batch, one of two records that is damaged, and a good one. The worker
begins when the damage is done.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.broker import EmbeddedKafka
from penstock.transport.topics import create_topics
from tests.bad_input import served_models
from tests.bad_input.desk import Desk
from tests.bad_input.rows import Answer, Dead, Error, Outcome, Request
from tests.support import cluster
from tests.support.damaged import sealed
from tests.support.lane import PARTITIONS, Lane
from tests.support.worker_inside import InsideWorker

Damage = Callable[[bytearray], bytes]

_CODEC_AT, _COUNT_AT, _RECORDS_AT = 22, 57, 61
SHORT = Request(b'{"inputs":[]}')  # the length of its record is written in one byte
READ: Outcome = Error("BAD_REQUEST")
LOST: Outcome = Dead("UNREADABLE", bare=True)


def a_value_is_flipped(batch: bytearray) -> bytes:
    batch[-10] ^= 0x10
    return bytes(batch)


def the_checksum_is_flipped(batch: bytearray) -> bytes:
    batch[18] ^= 1
    return bytes(batch)


def more_records_are_declared(batch: bytearray) -> bytes:
    batch[_COUNT_AT : _COUNT_AT + 4] = (3).to_bytes(4, "big")
    return sealed(batch)


def the_last_record_is_longer_than_the_batch(batch: bytearray) -> bytes:
    first = batch[_RECORDS_AT] // 2  # a zigzag varint of one byte
    second = _RECORDS_AT + 1 + first
    batch[second] = 126
    return sealed(batch)


def another_codec_is_declared(batch: bytearray) -> bytes:
    batch[_CODEC_AT] |= 4
    return sealed(batch)


def the_last_offset_is_far_away(batch: bytearray) -> bytes:
    batch[23:27] = (900_000).to_bytes(4, "big")
    return bytes(batch)


def the_first_offset_is_far_away(batch: bytearray) -> bytes:
    batch[:8] = (2**40).to_bytes(8, "big")
    return bytes(batch)


# How the batch is damaged, and what becomes of its two records.
CASES: list[tuple[Damage, list[Outcome]]] = [
    (a_value_is_flipped, [LOST, LOST]),
    (the_checksum_is_flipped, [LOST, LOST]),
    (more_records_are_declared, [READ, READ]),
    (the_last_record_is_longer_than_the_batch, [READ, LOST]),
    (another_codec_is_declared, [LOST, LOST]),
    (the_last_offset_is_far_away, [LOST, LOST]),
    (the_first_offset_is_far_away, [LOST, LOST]),
]


@pytest.fixture(scope="module")
async def damaged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Desk, list[list[str]]]]:
    """A worker on a broker whose files have been damaged, and the sources of each case."""
    reason = cluster.foreign()
    if reason:
        pytest.skip(reason)
    models = served_models.make(tmp_path_factory.mktemp("damaged"))
    async with EmbeddedKafka(heap_mb=256) as kafka:
        lane = Lane(kafka.bootstrap_servers, "damaged", "damaged-replies", "damaged-group")
        worker = InsideWorker(lane, models)
        desk = Desk(lane, worker)
        topics = {lane.requests: PARTITIONS, lane.replies: PARTITIONS, desk.other: PARTITIONS}
        topics |= dict.fromkeys(desk.others, 1)
        await create_topics({"bootstrap_servers": lane.bootstrap}, topics, replication_factor=1)
        async with desk:
            sources = [await _written(desk, kafka.data_dir, at, damage) for at, (damage, _) in enumerate(CASES)]
            async with worker:
                yield desk, sources


async def _written(desk: Desk, folder: Path, partition: int, damage: Damage) -> list[str]:
    """Write the three batches of a case, and damage the second where it lies."""
    (before,) = await desk.send([Request(key=b"before")], partition)
    file = folder / "node-1" / "kafka" / f"{desk.lane.requests}-{partition}" / "00000000000000000000.log"
    start = len(_read(file))
    victims = await desk.send([SHORT, SHORT], partition)
    stop = len(_read(file))
    (after,) = await desk.send([Request(key=b"after")], partition)
    _overwrite(file, start, damage(bytearray(_read(file)[start:stop])))
    return [before, *victims, after]


def _read(file: Path) -> bytes:
    return file.read_bytes()


def _overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as log:
        log.seek(at)
        log.write(data)


@pytest.mark.parametrize("at", range(len(CASES)), ids=[damage.__name__ for damage, _ in CASES])
async def test_9_what_cannot_be_read_is_put_aside_and_the_rest_is_answered(damaged: Any, at: int) -> None:
    desk, sources = damaged
    requests = [Request(key=b"before"), SHORT, SHORT, Request(key=b"after")]
    await desk.have(sources[at], requests, [Answer(), *CASES[at][1], Answer()])


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_9_a_batch_that_is_flipped_on_its_way_is_read_again_and_answered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    checking = desk.worker.worker._consumer._fetcher._client
    left = 0

    async def flipping(send: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        answer = await send(*arguments, **options)
        for topic, partitions in getattr(answer, "topics", ()):
            for place, fetched in enumerate(partitions):
                if left and topic == desk.lane.requests and fetched[0] == 7 and fetched[-1]:
                    left -= 1
                    data = bytearray(fetched[-1])
                    data[-10] ^= 0x10
                    partitions[place] = (*fetched[:-1], bytes(data))
        return answer

    send = checking._client.send
    monkeypatch.setattr(checking._client, "send", lambda *given, **named: flipping(send, *given, **named))
    await desk.outcomes(await desk.send([Request()], 7))  # the fetch that was under way already is over
    left = times
    requests = [Request(key=b"1"), Request(key=b"2")]
    await desk.have(await desk.send(requests, 7), requests, [Answer(), Answer()])
    assert left == 0
