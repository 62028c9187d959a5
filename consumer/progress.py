"""How far one assigned partition has come.

An offset here is always the next offset to read. Three of them:
    next_offset  everything before it is finished; what a commit says
    position     everything before it has been taken in; what a fetch should bring next
    finished     runs finished beyond next_offset

A progress belongs to one assignment of one partition. When the partition is revoked it is closed and forgotten;
work that ends late still reports to it, and nobody reads it any more. That is how late work of an old assignment
can never commit anything.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from aiokafka.structs import TopicPartition

from penstock.consumer.finished_set import MAX_METADATA_BYTES, FinishedSet
from penstock.schemas.record import Record

_FEW_RUNS: Final = 350  # they fit half of a commit's metadata while numbers are below 16,384
_MORE_RUNS: Final = 64  # after which it is measured again whether they fit
_TOO_SCATTERED: Final = 0.5  # what is on its way may still come on top


class PartitionProgress:
    """The committed state of one partition under one assignment.

    Args:
        place: topic and partition.
        next_offset: the committed offset; None when the group has none, and the first record decides.
        finished: what was finished beyond it.
    """

    def __init__(self, place: TopicPartition, next_offset: int | None, finished: FinishedSet | None = None) -> None:
        self.place = place
        self.source = f"{place.topic}/{place.partition}/".encode()  # the head of every reply's `penstock-source`
        self.next_offset = next_offset
        self.position = next_offset
        self.closed = False
        self.skipped = 0  # records passed over because they were finished before a restart
        self._finished = finished or FinishedSet()
        self._restored = len(self._finished) > 0
        self._measured = (0, 0)  # so many runs took so many bytes of metadata
        self._committed: tuple[int | None, str] = (next_offset, "") if not self._restored else (None, "")

    def __repr__(self) -> str:
        place = f"{self.place.topic}/{self.place.partition}"
        return f"<PartitionProgress {place} next={self.next_offset} position={self.position} {self._finished!r}>"

    @property
    def idle(self) -> bool:
        """Whether everything taken in is finished."""
        return self.next_offset == self.position

    def admit(self, records: Sequence[Record]) -> Sequence[Record]:
        """Take fetched records in and return those that are to be served.

        Left out are records taken in before (a fetch that crossed a seek) and those finished before a restart.
        Offsets that no record has (transaction markers, compaction) count as finished.

        Args:
            records: of this partition, offsets ascending.
        """
        if not records:
            return records
        first, last = records[0].offset, records[-1].offset
        if self.position is None or self.next_offset is None:
            self.next_offset = self.position = first
        if first == self.position and last - first + 1 == len(records) and not self._restored:
            self.position = last + 1
            return records
        fresh: list[Record] = []
        position = self.position
        for record in records:
            offset = record.offset
            if offset < position:
                continue
            if offset > position:
                self.finish(position, offset)
            position = offset + 1
            # A gap may have joined next_offset to a restored run, which then lies before it.
            if self._restored and (offset < self.next_offset or offset in self._finished):
                self.skipped += 1
            else:
                fresh.append(record)
        self.position = position
        if self._restored and not any(stop > position for _, stop in self._finished):
            self._restored = False
        self._advance()
        return fresh

    def skip_to(self, position: int) -> None:
        """Take offsets in without records: they were accounted for otherwise."""
        if self.position is None:
            self.next_offset = self.position = position
        self.position = max(self.position, position)

    def cut_off(self, end: int) -> "PartitionProgress":
        """Return the state of a log that ends earlier by now: what is finished stays so, the rest is served again."""
        finished = FinishedSet()
        for start, stop in self._finished:
            if start < end:
                finished.add(start, min(stop, end))
        return PartitionProgress(self.place, min(self.next_offset or 0, end), finished)

    def finish(self, start: int, stop: int) -> None:
        """Count `[start, stop)` as finished: answered, or dead-lettered, and acknowledged by Kafka."""
        if start == self.next_offset and not self._finished:
            self.next_offset = stop
            return
        self._finished.add(start, stop)
        self._advance()

    def _advance(self) -> None:
        if self.next_offset is not None:
            # Runs restored from a commit may lie beyond what has been fetched so far; they wait for their records.
            self.next_offset = self._finished.pop_from(self.next_offset)
            if self.position is not None and self.next_offset > self.position:
                self.position = self.next_offset

    def to_commit(self) -> tuple[int, str] | None:
        """Return next offset and metadata when they differ from what was committed last, else None."""
        if self.next_offset is None:
            return None
        state = (self.next_offset, self._finished.encode(self.next_offset))
        return None if state == self._committed else state

    def after(self, runs: Iterable[tuple[int, int]]) -> tuple[int, str] | None:
        """Return next offset and metadata as they would be with these runs finished too; nothing changes here.

        Returns:
            None where the finished set would not fit a commit: what it leaves out would be done again.
        """
        finished, next_offset = FinishedSet(), self.next_offset or 0
        for start, stop in (*self._finished, *runs):
            if start == next_offset and not finished:
                next_offset = stop
            else:
                finished.add(start, stop)
        next_offset = finished.pop_from(next_offset)
        metadata = finished.encode(next_offset)
        fits = len(finished) <= _FEW_RUNS or len(FinishedSet.decode(metadata, next_offset)) == len(finished)
        return (next_offset, metadata) if fits else None

    @property
    def committed_state(self) -> tuple[int | None, str]:
        """Next offset and metadata as they were committed last."""
        return self._committed

    def committed(self, state: tuple[int, str]) -> None:
        """Remember what a commit has stored."""
        self._committed = state

    @property
    def scatter(self) -> float:
        """How much of a commit's metadata the finished set takes, 0 to 1; 0 as long as it is surely little."""
        runs = len(self._finished)
        if runs <= _FEW_RUNS:
            return 0.0
        if abs(runs - self._measured[0]) >= _MORE_RUNS:
            self._measured = runs, len(self._finished.encode(self.next_offset or 0))
        return self._measured[1] / MAX_METADATA_BYTES

    @property
    def too_scattered(self) -> bool:
        """Whether the finished set soon does not fit a commit; the partition must then wait for its gaps."""
        return self.scatter > _TOO_SCATTERED
