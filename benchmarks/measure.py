"""What is measured: the rate over a full topic, and the latency of single requests at a given rate."""

import threading
import time
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from benchmarks.workload import PARTITIONS, Workload

_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second, between the broker's time stamps of the first and the last reply; and what was wrong."""

    per_second: float
    missing: int
    double: int
    wrong: int


def rate(bootstrap: str, replies: str, workload: Workload, count: int) -> Rate:
    """Wait until every request is answered, then check each reply and compute the rate."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"check-{replies}", "enable.auto.commit": False})
    places = [TopicPartition(replies, partition, 0) for partition in range(PARTITIONS)]
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and _written(consumer, places) < count:
        time.sleep(0.2)
    consumer.assign(places)
    seen = np.zeros(count, dtype=np.int64)
    wrong, stamps = 0, []
    while messages := consumer.consume(5000, timeout=2.0):
        for message in messages:
            index, right = workload.is_right(message.value() or b"{}")
            seen[index] += 1
            wrong += not right
        stamps += [messages[0].timestamp()[1], messages[-1].timestamp()[1]]
        stamps += [message.timestamp()[1] for message in messages]
    consumer.close()
    seconds = (max(stamps) - min(stamps)) / 1000
    return Rate(count / seconds, int((seen == 0).sum()), int((seen > 1).sum()), wrong)


def _written(consumer: Consumer, places: list[TopicPartition]) -> int:
    try:
        return sum(consumer.get_watermark_offsets(place, timeout=5.0, cached=False)[1] for place in places)
    except KafkaException:  # a topic made a moment ago may have no leader yet
        return 0


def latencies(
    bootstrap: str, requests: str, replies: str, workload: Workload, *, per_second: int, seconds: float
) -> np.ndarray:
    """Send requests at a steady rate and return the milliseconds to each reply, from when it should have left."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"latency-{replies}",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
        }
    )
    consumer.assign([TopicPartition(replies, partition, 0) for partition in range(PARTITIONS)])
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    warm, count = per_second * 2, int(per_second * seconds) + per_second * 2
    due, came = np.zeros(count), np.zeros(count)

    def read() -> None:
        left, deadline = count, time.perf_counter() + seconds + _PATIENCE_S
        while left and time.perf_counter() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                came[workload.is_right(message.value() or b"{}")[0]] = time.perf_counter()
                left -= 1

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(3.0)  # the contestant joins its group
    start = time.perf_counter()
    for index in range(count):
        due[index] = start + index / per_second
        while (early := due[index] - time.perf_counter()) > 0:
            time.sleep(early)
        producer.produce(requests, workload.value(index), b"k%d" % (index % 1000), partition=index % PARTITIONS)
        producer.poll(0)
    producer.flush()
    reader.join()
    consumer.close()
    return (came - due)[warm:] * 1000
