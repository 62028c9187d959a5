"""The rate at which a service answers a full topic, all of its members being there from the first request on.

The requests are written in one transaction, which the worker does not see before it is committed: so the topic is full
at a stroke, when every process has its partitions, and no start or rebalance is part of the figure.
"""

import asyncio
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from benchmarks.studies.failures import StudyError
from benchmarks.studies.service import Service
from benchmarks.studies.stage import Stage
from benchmarks.workload import KEYS, PARTITIONS

_CALL_S = 30.0
_ANSWERED_S = 120.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Answered:
    """What a service made of a full topic.

    Attributes:
        per_second: requests by the time between the broker's stamps of the first reply and the last.
        missing, double, wrong: requests without a reply, replies too many, and replies with another label.
    """

    per_second: float
    missing: int
    double: int
    wrong: int


async def answered(on: Stage, name: str, processes: int, count: int) -> Answered:
    """Let a service of so many processes answer so many requests.

    Raises:
        StudyError: it did not answer them, or answered otherwise than exactly and rightly.
    """
    lane = await on.lane(name, PARTITIONS)
    producer = await asyncio.to_thread(_filled, on, lane.requests, count)
    async with Service(name, on.folder, on.bootstrap, lane, processes=processes) as service:
        await service.until(service.all_open_at, "every process has its partitions")
        await asyncio.to_thread(producer.commit_transaction, _CALL_S)
        await asyncio.to_thread(producer.close)
        found = await asyncio.to_thread(_counted, on, lane.replies, count, service)
    if found.missing or found.double or found.wrong:
        raise StudyError(f"{processes} processes did not answer each request once and rightly: {found}")
    return found


def _filled(on: Stage, topic: str, count: int) -> Producer:
    """Write the requests of a transaction, which is left open."""
    producer = Producer(
        {
            "bootstrap.servers": on.bootstrap,
            "transactional.id": topic,
            "transaction.timeout.ms": 300_000,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 3,
        }
    )
    producer.init_transactions(_CALL_S)
    producer.begin_transaction()
    for index in range(count):
        producer.produce(topic, on.workload.value(index), b"k%d" % (index % KEYS), partition=index % PARTITIONS)
        if index % 1000 == 0:
            producer.poll(0)
    if producer.flush(_CALL_S):
        raise StudyError(f"{topic} could not be filled within {_CALL_S:g} s")
    return producer


def _counted(on: Stage, replies: str, count: int, service: Service) -> Answered:
    """Wait until there are so many replies, then read and judge them."""
    consumer = Consumer(
        {"bootstrap.servers": on.bootstrap, "group.id": f"counts-{replies}", "enable.auto.commit": False}
    )
    places = [TopicPartition(replies, partition, 0) for partition in range(PARTITIONS)]
    try:
        deadline = time.monotonic() + _ANSWERED_S
        while _written(consumer, places) < count and time.monotonic() < deadline and not on.stop.wait(_LOOK_S):
            service.check()
        consumer.assign(places)
        stamps, seen, wrong = list[int](), set[int](), 0
        while (message := consumer.poll(2.0 if len(stamps) < count else _LOOK_S)) is not None and not on.stop.is_set():
            if message.error() is not None:
                raise StudyError(f"replies could not be read: {message.error()}")
            index, right = on.workload.is_right(message.value() or b"{}")
            stamps.append(message.timestamp()[1])
            seen.add(index)
            wrong += not right
    finally:
        consumer.close()
    seconds = (max(stamps) - min(stamps)) / 1000 if stamps else 0.0
    return Answered(len(seen) / seconds if seconds else 0.0, count - len(seen), len(stamps) - len(seen), wrong)


def _written(consumer: Consumer, places: list[TopicPartition]) -> int:
    try:
        return sum(consumer.get_watermark_offsets(place, timeout=5.0, cached=False)[1] for place in places)
    except KafkaException:  # a topic made a moment ago may have no leader yet
        return 0
