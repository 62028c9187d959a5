"""What is asked, and what must come back.

T are the 30 features of a breast-cancer row, V the 784 of a row for a network 784-128-10. J is Open Inference Protocol
JSON, B the raw float32 row; one row a request.
"""

from pathlib import Path
from typing import Any, Final

import orjson
from confluent_kafka import Producer

from penstock.cli.demo.held_out import HeldOut

MODEL = "breast-cancer"
NETWORK = "network"
PARTITIONS = 8
KEYS = 1000

# Name -> the model, whether raw, and how it is written in tables.
WORKLOADS: Final[dict[str, tuple[str, bool, str]]] = {
    "tj": (MODEL, False, "T J"),
    "vj": (NETWORK, False, "V J"),
    "tb": (MODEL, True, "T B"),
    "vb": (NETWORK, True, "V B"),
}
_RAW_TYPE: Final = ("content-type", b"application/octet-stream")
# Between float32 in one order of additions and float32, or float64, in another.
_RTOL: Final = 1e-4
_ATOL: Final = 1e-6


class Workload:
    """The requests of a benchmark and the answers that replies must hold.

    Args:
        folder: where `penstock.cli.demo.models` or `benchmarks.models` has written model and rows.
        model: which.
        raw: whether requests are the float32 bytes of a row; their replies are the label's int64 bytes.
    """

    def __init__(self, folder: Path, model: str = MODEL, *, raw: bool = False) -> None:
        held_out = HeldOut.read(folder, model)
        assert held_out.labels is not None
        self.model, self.raw = model, raw
        self.repository = folder / "models"
        self._labels: list[int] = held_out.labels.tolist()
        self._scores: list[list[float]] = held_out.scores.tolist()
        self._rows = [
            row.astype("<f4").tobytes() if raw else orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)
            for row in held_out.rows
        ]
        self._head = b'"inputs":[{"name":"X","shape":[1,%d],"datatype":"FP32","data":' % held_out.rows.shape[1]

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """What every request carries."""
        return [_RAW_TYPE] if self.raw else []

    def key(self, index: int) -> bytes:
        """Return the key of request `index`, which no other has."""
        return b"r-%d" % index

    def value(self, index: int) -> bytes:
        """Return request `index`; its id, or only its key if raw, says which it is."""
        row = self._rows[index % len(self._rows)]
        return row if self.raw else b'{"id":"r-%d",%s%s}]}' % (index, self._head, row)

    def is_right(self, value: bytes) -> tuple[int, bool]:
        """Return which request a reply in JSON answers, and whether rightly."""
        return self.judge(None, value)

    def judge(self, key: bytes | None, value: bytes | None) -> tuple[int, bool]:
        """Return which request a reply answers, and whether rightly; -1 for a reply that answers none.

        Args:
            key: the reply's, which tells the request where the value does not.
            value: the reply's.
        """
        if self.raw:
            index = _number(key)
            expected = self._labels[index % len(self._labels)]
            return index, value is not None and len(value) == 8 and int.from_bytes(
                value, "little", signed=True
            ) == expected
        index = _number(key)
        try:
            body = orjson.loads(value or b"")
            index = _number(body["id"].encode())
            return index, self._holds(index, body["outputs"])
        except (ValueError, LookupError, TypeError, AttributeError):  # whatever it is, it is no answer
            return index, False

    def is_echo(self, key: bytes | None, value: bytes | None) -> tuple[int, bool]:
        """Return which request a record is, and whether it is that request, byte for byte."""
        index = _number(key)
        return index, index >= 0 and value == self.value(index)

    def _holds(self, index: int, outputs: list[dict[str, Any]]) -> bool:
        """Tell whether outputs are one label and as many scores as there are classes, all of them right."""
        row = index % len(self._labels)
        labels = [each["data"] for each in outputs if len(each["data"]) == 1]
        scores = [each["data"] for each in outputs if len(each["data"]) == len(self._scores[row])]
        if index < 0 or labels != [[self._labels[row]]] or len(scores) != 1:
            return False
        pairs = zip(scores[0], self._scores[row], strict=True)
        return all(abs(found - wanted) <= _ATOL + _RTOL * abs(wanted) for found, wanted in pairs)

    def fill(self, bootstrap: str, topic: str, count: int, headers: list[tuple[str, bytes]] | None = None) -> None:
        """Write requests to a topic, spread evenly over its partitions.

        Args:
            bootstrap: Kafka's addresses.
            topic: is there.
            count: of requests.
            headers: beyond those of the workload.
        """
        producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
        )
        carried: Any = [*self.headers, *(headers or [])]
        for index in range(count):
            while True:
                try:
                    producer.produce(topic, self.value(index), self.key(index), index % PARTITIONS, headers=carried)
                    break
                except BufferError:  # the broker is behind
                    producer.poll(0.1)
            if index % 1000 == 0:
                producer.poll(0)
        if left := producer.flush(60):
            raise TimeoutError(f"Kafka did not take {left} of {count} requests within a minute; see its log")


def named(folder: Path, name: str) -> Workload:
    """Return the workload of a name, whose model lies in a folder of its own."""
    model, raw, _ = WORKLOADS[name]
    return Workload(folder / model, model, raw=raw)


def title(name: str) -> str:
    """Return how a workload is written."""
    return WORKLOADS[name][2]


def _number(key: bytes | None) -> int:
    """Return the index that a key or an id holds, or -1."""
    try:
        return int(key[2:]) if key is not None and key[:2] == b"r-" else -1
    except ValueError:
        return -1
