"""CRC-32C, of record batches that are written and of those that are read.

aiokafka computes it by tables, 0.6 ns a byte: a third of what it takes to read records of 3 kB. Processors have an
instruction for it, which the package crc32c uses where it is installed: a fifteenth of the time, and outside of the
interpreter lock.

Source: kafka.apache.org/documentation, "Record Batch": the sum stands behind the magic byte, and covers all after it.
"""

import importlib
from typing import Any, Final

from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

try:
    crc32c: Any = importlib.import_module("crc32c").crc32c
except ImportError:
    crc32c = None

_LENGTH_AT, _MAGIC_AT, _SUM_AT, _COVERED_FROM = 8, 16, 17, 21
_UNCOUNTED: Final = 12  # bytes before what the length counts
LATE: Final = 1 << 20
"""Records that may lie beyond the end which a broker gives with them: it looks at the end first, and then reads."""

_WORTH: Final = 4096  # bytes; a smaller batch is checked by aiokafka sooner than by Python
_MAGIC: Final = 2


def checksum(data: bytes | memoryview) -> int:
    """Return the CRC-32C of bytes."""
    return int((crc32c or calc_crc32c)(data))


def are_right(data: bytes | None) -> bool:
    """Tell whether every complete batch has the sum that it says; False also where it is not worth finding out.

    Args:
        data: record batches, the last one perhaps cut off.
    """
    if not data or crc32c is None:
        return False
    view, at = memoryview(data), 0
    while len(data) - at > _COVERED_FROM:
        end = at + _UNCOUNTED + int.from_bytes(view[at + _LENGTH_AT : at + _LENGTH_AT + 4], "big", signed=True)
        if end > len(data):
            return at > 0
        if end - at < _WORTH or data[at + _MAGIC_AT] != _MAGIC:
            return False
        if checksum(view[at + _COVERED_FROM : end]) != int.from_bytes(view[at + _SUM_AT : at + _COVERED_FROM], "big"):
            return False
        at = end
    return True


class CheckingClient:
    """A client of aiokafka that checks what it fetches.

    Args:
        client: what is asked.

    Attributes:
        right: the partitions whose last fetch was right; of the others nothing is known.
        fetched: what the last fetch of each partition brought, and where the partition ended then; whoever looks at
            it takes it away.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.right: set[TopicPartition] = set()
        self.fetched: dict[TopicPartition, tuple[bytes, int]] = {}

    def __getattr__(self, name: str) -> Any:
        """Return what the client has."""
        return getattr(self._client, name)

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        """Send a request and return the answer."""
        answer = await self._client.send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            for topic, partitions in answer.topics:
                for partition, _, end, *_, data in partitions:
                    place = TopicPartition(topic, partition)
                    note = self.right.add if are_right(data) else self.right.discard
                    note(place)
                    self.fetched[place] = data or b"", end
        return answer
