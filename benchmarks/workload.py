"""Workload T J: breast-cancer rows as Open Inference Protocol JSON, one row a request."""

from pathlib import Path

import orjson
from confluent_kafka import Producer

from penstock.cli.demo.held_out import HeldOut

MODEL = "breast-cancer"
PARTITIONS = 8
KEYS = 1000


class Workload:
    """The requests of a benchmark and the labels that answers must carry.

    Args:
        folder: where `penstock.cli.demo.models` has written model and rows.
    """

    def __init__(self, folder: Path) -> None:
        held_out = HeldOut.read(folder, MODEL)
        assert held_out.labels is not None
        self._labels = held_out.labels.tolist()
        self._rows = [orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) for row in held_out.rows]

    def value(self, index: int) -> bytes:
        """Return request `index`; its id says which it is."""
        row = self._rows[index % len(self._rows)]
        return b'{"id":"r-%d","inputs":[{"name":"X","shape":[1,30],"datatype":"FP32","data":%s}]}' % (index, row)

    def is_right(self, value: bytes) -> tuple[int, bool]:
        """Return which request a reply answers, and whether rightly."""
        body = orjson.loads(value)
        index = int(body["id"][2:])
        if "outputs" not in body:
            return index, False
        label = min(body["outputs"], key=lambda output: len(output["data"]))["data"][0]
        return index, label == self._labels[index % len(self._labels)]

    def fill(self, bootstrap: str, topic: str, count: int) -> None:
        """Write requests to a topic, spread evenly over its partitions."""
        producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
        )
        for index in range(count):
            producer.produce(topic, self.value(index), b"k%d" % (index % KEYS), partition=index % PARTITIONS)
            if index % 1000 == 0:
                producer.poll(0)
        producer.flush()
