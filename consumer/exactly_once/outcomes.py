"""What waits to be written of one input partition, and what of it goes into the next transaction. Pure.

A transaction holds one record batch for each partition that is written to, and the committed state as it is once
their requests are finished. Nothing is finished before it has committed: what has not is put back, in its place.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiokafka.structs import TopicPartition

from penstock.consumer.exactly_once.origins import offset_of, runs_of
from penstock.consumer.progress import PartitionProgress
from penstock.transport.parcels import Parcel, fill, joined_tokens
from penstock.transport.record_batch import TransactionalBatch
from penstock.transport.transactions.producer import State


@dataclass(frozen=True, slots=True)
class Planned:
    """A transaction to be.

    Attributes:
        batches: what is written, by partition.
        parcels: what the batches are made of.
        state: of the input partition, once all of it is finished.
    """

    batches: dict[TopicPartition, TransactionalBatch]
    parcels: dict[TopicPartition, list[Parcel]]
    state: State

    def __repr__(self) -> str:
        return f"<Planned {self.records} records, state {self.state}>"

    @property
    def records(self) -> int:
        """How many are written."""
        return sum(map(len, self.batches.values()))


class Outcomes:
    """Replies, error replies and dead letters in order, by the partition that they are written to.

    Args:
        progress: of the input partition.
        max_batch_bytes: bytes of one record batch.

    Attributes:
        pending: how many were added and have neither committed nor been given up.
    """

    def __init__(self, progress: PartitionProgress, max_batch_bytes: int) -> None:
        self._progress = progress
        self._max_batch_bytes = max_batch_bytes
        self._waiting: dict[TopicPartition, deque[Parcel]] = {}
        self._suspects: dict[TopicPartition, int] = {}  # so many of the first hold one that is too large
        self.pending = 0

    def __repr__(self) -> str:
        return f"<Outcomes {self.pending} pending for {len(self._waiting)} partitions>"

    def add(self, place: TopicPartition, parcel: Parcel) -> None:
        """Add outcomes for one partition, after all that were added for it before."""
        self._waiting.setdefault(place, deque()).append(parcel)
        self.pending += len(parcel.tokens)

    def plan(self) -> Planned | None:
        """Take out what goes into the next transaction; None when nothing does.

        One plan at a time: it ends by `done` or `put_back`.
        """
        if not self._waiting:
            changed = self._progress.to_commit() is not None
            state = self._progress.after(()) if changed else None
            return None if state is None else Planned({}, {}, state)
        planned = self._planned()
        if planned is None and self._bring_gap_forward():
            # Too scattered for a commit to hold. What begins at the first gap always fits; the others wait for it.
            planned = self._planned(only_at=self._progress.next_offset)
        return planned

    def done(self, planned: Planned) -> Iterator[Sequence[Any]]:
        """Yield the tokens of what has committed."""
        for parcels in planned.parcels.values():
            for tokens in joined_tokens(parcels):
                self.pending -= len(tokens)
                yield tokens
        for place, batch in planned.batches.items():
            left = self._suspects.pop(place, 0) - len(batch)
            if left > 0:
                self._suspects[place] = left

    def put_back(self, planned: Planned) -> None:
        """Let what has not committed wait again, before all that was added meanwhile."""
        for place, parcels in planned.parcels.items():
            self._waiting.setdefault(place, deque()).extendleft(reversed(parcels))

    def suspect(self, place: TopicPartition, records: int) -> None:
        """Send half as many at once until so many, refused together, have gone: each refusal halves who may be it."""
        self._suspects[place] = records

    def give_up(self, planned: Planned, place: TopicPartition, refuse: Callable[[Any], None]) -> None:
        """Forget what a plan, put back, had for a partition.

        Args:
            planned: the plan.
            place: the partition.
            refuse: called with each token; what it adds in its place comes before all that waits.
        """
        self._suspects.pop(place, None)
        rest = self._waiting.pop(place)
        gone = [rest.popleft() for _ in planned.parcels[place]]
        for parcel in gone:
            self.pending -= len(parcel.tokens)
            for token in parcel.tokens:
                refuse(token)
        if rest:
            self._waiting.setdefault(place, deque()).extend(rest)

    def clear(self) -> Iterator[Sequence[Any]]:
        """Forget everything, and yield its tokens."""
        waiting, self._waiting, self.pending = self._waiting, {}, 0
        for queue in waiting.values():
            for parcel in queue:
                yield parcel.tokens

    def _planned(self, only_at: int | None = None) -> Planned | None:
        """Fill a batch for each partition, or one with what begins at an offset; None where no commit can hold it."""
        batches: dict[TopicPartition, TransactionalBatch] = {}
        parcels: dict[TopicPartition, list[Parcel]] = {}
        for place, queue in self._waiting.items():
            if only_at is not None and next(runs_of(queue[0].tokens), (None,))[0] != only_at:
                continue
            batch = TransactionalBatch(self._max_batch_bytes)
            suspects = self._suspects.get(place)
            most = len(queue[0].tokens) if only_at is not None else suspects and max(1, suspects // 2)
            batches[place], parcels[place] = batch, fill(batch, queue, most)
        state = self._progress.after(
            run for taken in parcels.values() for each in taken for run in runs_of(each.tokens)
        )
        planned = None if state is None else Planned(batches, parcels, state)
        if planned is None:
            self.put_back(Planned(batches, parcels, (0, "")))
        self._waiting = {place: queue for place, queue in self._waiting.items() if queue}
        return planned

    def _bring_gap_forward(self) -> bool:
        """Put the outcomes that begin where everything before is finished first in their queue, if they are there."""
        wanted = self._progress.next_offset
        for place, queue in self._waiting.items():
            for number, parcel in enumerate(queue):
                at = next((at for at in range(len(parcel.tokens)) if offset_of(parcel.tokens, at) == wanted), None)
                if at is None:
                    continue
                before, found = parcel.split(at)
                start, stop = next(runs_of(found.tokens))
                found, after = found.split(stop - start)
                del queue[number]
                others = [each for each in (before, after) if len(each.records)]
                self._waiting[place] = deque([found, *islice(queue, number), *others, *islice(queue, number, None)])
                return True
        return False
