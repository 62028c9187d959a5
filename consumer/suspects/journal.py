"""The journal of a worker process: what its engine runs right now, for whoever finds it dead.

It lies in memory that the process shares with its supervisor, so it outlives the process and costs no call to
anybody: some microseconds a batch. It names requests by their place in Kafka, and holds nothing of them.
"""

import mmap
import os
import struct
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import orjson
from aiokafka.structs import TopicPartition

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest
from penstock.core.batch import Batch

JOURNAL_BYTES: Final = 64 * 1024  # some hundred partitions; what does not fit is not told
_LENGTH: Final = struct.Struct("=I")


@contextmanager
def journal_file() -> Iterator[int]:
    """Give a descriptor of the memory that a journal is written to. It lies on no disk where the system has such."""
    with tempfile.TemporaryFile() if sys.platform != "linux" else os.fdopen(os.memfd_create("journal"), "wb") as file:
        file.truncate(JOURNAL_BYTES)
        yield file.fileno()


class Run(NamedTuple):
    """Requests of one partition that ran in one batch when a process died: some of those from first to last.

    Attributes:
        model: its name.
        topic, partition: where they lie.
        first, last: offsets.
        timestamp: the record's, where it was the only request that ran; else None.
    """

    model: str
    topic: str
    partition: int
    first: int
    last: int
    timestamp: int | None


Death = tuple[Run, ...]


class RunJournal:
    """Writes what runs; the engine's `Witness`.

    Args:
        file: descriptor of JOURNAL_BYTES that the supervisor reads too.
    """

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, JOURNAL_BYTES)
        self._running: dict[int, Death] = {}  # of each batch, by its id; several where the event loop lags behind
        self._writing = threading.Lock()

    def begins(self, batch: Batch[PendingRequest]) -> None:
        """Note that a batch is about to run."""
        with self._writing:
            self._running[id(batch)] = runs_of(batch)
            self._write()

    def ends(self, batch: Batch[PendingRequest]) -> None:
        """Note that a batch has run, and that the process lives."""
        with self._writing:
            self._running.pop(id(batch), None)
            self._write()

    def _write(self) -> None:
        runs = [run for death in self._running.values() for run in death]
        if len(self._running) > 1:  # nobody can tell which one it was
            runs = [run._replace(timestamp=None) for run in runs]
        text = encode_death(runs) if runs else b""
        if len(text) > JOURNAL_BYTES - _LENGTH.size:
            text = b""
        # Who dies in the middle of it has written nothing.
        _LENGTH.pack_into(self._memory, 0, 0)
        self._memory[_LENGTH.size : _LENGTH.size + len(text)] = text
        _LENGTH.pack_into(self._memory, 0, len(text))


def read_journal(file: int) -> Death:
    """Return what ran when the process died that has written to this file."""
    content = os.pread(file, JOURNAL_BYTES, 0)
    (length,) = _LENGTH.unpack_from(content)
    return decode_death(content[_LENGTH.size : _LENGTH.size + length])


def runs_of(batch: Batch[PendingRequest]) -> Death:
    """Return what is to be said if a process dies of a batch."""
    bounds: dict[TopicPartition, tuple[int, int]] = {}
    live = timestamp = 0
    for chunk in batch.chunks if batch.rows else ():
        requests = chunk.requests
        if isinstance(requests, RequestBlock):
            live += len(requests)
            records = requests.records
            timestamp = records[0].timestamp
            _widen(bounds, requests.progress.place, records[0].offset, records[-1].offset)
            continue
        for request in requests:
            if request.rows:
                live += 1
                timestamp = request.record.timestamp
                _widen(bounds, request.progress.place, request.record.offset, request.record.offset)
    when = timestamp if live == 1 else None
    return tuple([Run(batch.key.model, place.topic, place.partition, *both, when) for place, both in bounds.items()])


def _widen(bounds: dict[TopicPartition, tuple[int, int]], place: TopicPartition, first: int, last: int) -> None:
    known = bounds.get(place, (first, last))
    bounds[place] = min(known[0], first), max(known[1], last)


def encode_death(runs: Iterable[Run]) -> bytes:
    """Write it as JSON: `[["iris", "requests", 3, 1000, 1511, null]]`."""
    return orjson.dumps([list(run) for run in runs])  # orjson knows no named tuples


def decode_death(text: bytes) -> Death:
    """Read what `encode_death` has written; nothing where it is something else."""
    try:
        found: Any = orjson.loads(text)
        runs = tuple([Run(*run) for run in found])
    except (ValueError, TypeError):
        return ()
    return runs if all(isinstance(number, int) for run in runs for number in run[2:5]) else ()
