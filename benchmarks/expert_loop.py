"""The loop that an expert writes by hand on librdkafka: the figure to beat.

It has no provenance headers, no metrics, no limits, no error replies, and loses its batch to one bad request. It
is tuned as librdkafka's documentation recommends: a whole batch from the local queue at once, one parse and one
model run per batch, replies produced without waiting, offsets committed behind the deliveries.
"""

import argparse
import signal
import sys
import time
from typing import Any

import numpy as np
import onnxruntime
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

BATCH = 500
COMMIT_S = 0.1


def serve(bootstrap: str, group: str, requests: str, replies: str, model: str) -> None:
    """Serve until SIGTERM."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (tensor,) = session.get_inputs()
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.min.bytes": 1,
            "check.crcs": True,  # as Penstock does
            "queued.min.messages": 100_000,
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "enable.idempotence": True, "acks": "all"})
    consumer.subscribe([requests])
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    done: dict[Any, int] = {}
    committed = time.monotonic()
    while not stopping:
        first = consumer.poll(0.2)
        producer.poll(0)
        if first is None:
            continue
        batch = [first, *consumer.consume(BATCH - 1, timeout=0)]
        answer(batch, session, tensor.name, producer, replies)
        for message in batch:
            done[message.topic(), message.partition()] = (message.offset() or 0) + 1
        while len(producer) > 8 * BATCH:  # pipelined: several batches may be on their way
            producer.poll(0.001)
        if time.monotonic() - committed > COMMIT_S:
            committed = time.monotonic()
            commit(consumer, done)
    producer.flush(10)
    commit(consumer, done)
    consumer.close()


def answer(batch: list[Any], session: Any, name: str, producer: Producer, replies: str) -> None:
    """Answer one batch."""
    bodies = [orjson.loads(message.value()) for message in batch]
    rows = np.array([body["inputs"][0]["data"] for body in bodies], dtype=np.float32)
    labels, scores = session.run(None, {name: rows})
    for message, body, label, score in zip(batch, bodies, labels.tolist(), scores.tolist(), strict=True):
        value = orjson.dumps(
            {
                "model_name": "breast-cancer",
                "id": body["id"],
                "outputs": [
                    {"name": "label", "datatype": "INT64", "shape": [1], "data": [label]},
                    {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": score},
                ],
            }
        )
        producer.produce(replies, value, message.key(), partition=message.partition())
    producer.poll(0)


def commit(consumer: Consumer, done: dict[Any, int]) -> None:
    """Commit without waiting."""
    if done:
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in done.items()]
        consumer.commit(offsets=offsets, asynchronous=True)
        done.clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("bootstrap", "group", "requests", "replies", "model"):
        parser.add_argument(f"--{option}", required=True)
    given = parser.parse_args()
    serve(given.bootstrap, given.group, given.requests, given.replies, given.model)
    sys.exit(0)
