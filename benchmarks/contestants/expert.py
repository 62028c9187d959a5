"""The loop that an expert writes by hand on librdkafka, in two modes: the figures to beat.

It has no provenance headers, no metrics, no limits, no error replies, and loses its batch to one bad request. A whole
batch comes from the local queue at once, one parse and one model run per batch, replies are produced without waiting
(confluent-kafka's guide: https://docs.confluent.io/kafka-clients/python/current/overview.html).

`pipelined` has eight batches in flight and commits behind, without waiting. (It commits what it has handed to the
producer, a little ahead of the acknowledgements, which is quicker and less safe than Penstock's way.) `flushed` waits
for the acknowledgements of each batch and then for its commit: at least once, the plainest way to be sure of it.

librdkafka's own settings (https://github.com/confluentinc/librdkafka/blob/master/INTRODUCTION.md): `linger.ms=0`,
because the loop makes the batches, idempotent and `acks=all` as Penstock's producer is, checksums checked as Penstock
does, and a local queue that never runs empty, whether messages are many or large.
"""

import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.contestants.answering import Answering
from benchmarks.contestants.options import BATCH, Options, read_options, until_sigterm

_COMMIT_S = 0.1
IN_FLIGHT = 8  # batches


def consumer_of(options: Options) -> Consumer:
    """Return a subscribed consumer."""
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.min.bytes": 1,
            "check.crcs": True,
            "queued.min.messages": 100_000,
            # Large messages fill the local queue by bytes, and by default fetching would stop for a second each time.
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.subscribe([options.requests])
    return consumer


def producer_of(options: Options) -> Producer:
    """Return a producer that sends at once."""
    return Producer({"bootstrap.servers": options.bootstrap, "linger.ms": 0, "enable.idempotence": True, "acks": "all"})


def take(consumer: Consumer, producer: Producer) -> list[Any]:
    """Return what is there, at most a batch; wait a moment for the first."""
    first = consumer.poll(0.2)
    producer.poll(0)
    return [] if first is None else [first, *consumer.consume(BATCH - 1, timeout=0)]


class Commits:
    """The offsets to commit, one call for all partitions."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer, self._done = consumer, dict[Any, int]()
        self._last = time.monotonic()

    def add(self, batch: list[Any]) -> None:
        """Take in what has been answered."""
        for message in batch:
            self._done[message.topic(), message.partition()] = message.offset() + 1

    def behind(self) -> None:
        """Commit from time to time, without waiting."""
        if self._done and time.monotonic() - self._last > _COMMIT_S:
            self._last = time.monotonic()
            self._consumer.commit(offsets=self._take(), asynchronous=True)

    def commit(self) -> None:
        """Commit, and wait for it."""
        if self._done:
            self._consumer.commit(offsets=self._take(), asynchronous=False)

    def _take(self) -> list[TopicPartition]:
        done, self._done = self._done, {}
        return [TopicPartition(topic, partition, offset) for (topic, partition), offset in done.items()]


def serve(options: Options) -> None:
    """Serve until SIGTERM."""
    answering, stopping = Answering(options), until_sigterm()
    consumer, producer = consumer_of(options), producer_of(options)
    commits = Commits(consumer)
    while not stopping:
        batch = take(consumer, producer)
        if not batch:
            continue
        values = answering.answer([message.value() for message in batch])
        for message, value in zip(batch, values, strict=True):
            producer.produce(options.replies, value, message.key(), partition=message.partition())
        commits.add(batch)
        if options.mode == "flushed":
            producer.flush()
            commits.commit()
            continue
        while len(producer) > IN_FLIGHT * BATCH:
            producer.poll(0.001)
        commits.behind()
    producer.flush(10)
    commits.commit()
    consumer.close()


if __name__ == "__main__":
    serve(read_options(__doc__))
