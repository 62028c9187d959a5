"""Requests that a throttle holds back: undecoded, in order, and in bounded number. Pure."""

import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from penstock.consumer.intake import deadlines_of
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.spans import Span
from penstock.schemas.control.resources import Scope

_OVERHEAD: Final = 512  # bytes that a record takes in memory beside key and value
# Each run of held records is a gap in what a commit says is finished. At half of its metadata the partition would be
# stopped for everybody, so no new run is begun before that: at 1,500 bytes, of senders who alternate at random some
# thousand runs. The second bound is for what one fetch brings before any of it is finished.
_SCATTERED: Final = 0.375
_MOST_RUNS: Final = 2000


class HeldSpan:
    """A span of which some records wait.

    Attributes:
        sequence: its place among all that were held.
        span: as it came.
        at: records of it that have gone.
        deadlines: monotonic seconds of each record; None where all wait for ever.
        sizes: bytes of each record.
        follows: whether the record before it in its partition was held in the same queue.
    """

    __slots__ = ("at", "deadlines", "follows", "sequence", "sizes", "span")

    def __init__(self, sequence: int, span: Span, sizes: list[int], now: float, *, follows: bool) -> None:
        timeout_s = span.envelope.timeout_s
        self.sequence = sequence
        self.span = span
        self.at = 0
        self.deadlines = None if timeout_s is None else deadlines_of(span.records, timeout_s, now)
        self.sizes = sizes
        self.follows = follows

    def __len__(self) -> int:
        return len(self.sizes) - self.at

    def expired(self, now: float) -> int:
        """Return how many of the first records nobody waits for any more."""
        if self.deadlines is None:
            return 0
        late = itertools.takewhile(lambda deadline: deadline is not None and deadline <= now, self._deadlines_left())
        return sum(1 for _ in late)

    def let_go(self, count: int) -> tuple[Span, int]:
        """Take the first records out, and return them and their bytes."""
        progress, envelope, records, name, echoes = self.span
        start, stop = self.at, min(self.at + count, len(self.sizes))
        gone = Span(progress, envelope, records[start:stop], name, echoes[start:stop])
        size = sum(self.sizes[start:stop])
        self.at = stop
        if 2 * stop >= len(self.sizes):  # what has gone is not to stay in memory
            self.span, self.sizes, self.at = self.span.cut(stop)[1], self.sizes[stop:], 0
            self.deadlines = self.deadlines and self.deadlines[stop:]
        return gone, size

    def _deadlines_left(self) -> Iterator[float | None]:
        return itertools.islice(self.deadlines or (), self.at, None)


class HeldRequests:
    """A queue for each scope.

    The more bytes are held, the fewer one queue may have: as many as are free. So one flood takes half of the room at
    most, two a third each, and who comes last finds some (dynamic thresholds; Choudhury and Hahne, 1998).

    Args:
        max_bytes: of all queues together.

    `bytes` and `records` count what is held.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._queues: OrderedDict[Scope, deque[HeldSpan]] = OrderedDict()  # the one served longest ago is first
        self._bytes_of: dict[Scope, int] = {}
        self._runs: dict[PartitionProgress, int] = {}
        self._numbers = itertools.count()
        self.bytes = 0
        self.records = 0

    def __len__(self) -> int:
        return self.records

    def __repr__(self) -> str:
        return f"<HeldRequests {self.records} requests, {self.bytes} bytes, {len(self._queues)} queues>"

    def __iter__(self) -> Iterator[HeldSpan]:
        return itertools.chain.from_iterable(self._queues.values())

    def queue(self, scope: Scope) -> Sequence[HeldSpan]:
        """Return what waits for one scope, in order."""
        return self._queues.get(scope, ())

    def queues(self) -> list[tuple[Scope, Sequence[HeldSpan]]]:
        """Return all that waits, by scope."""
        return list(self._queues.items())

    def heads(self) -> list[tuple[Scope, HeldSpan]]:
        """Return the first of each queue, that of the queue served longest ago in front."""
        return [(scope, queue[0]) for scope, queue in self._queues.items()]

    def hold(self, scope: Scope, span: Span, now: float) -> int:
        """Hold as many of the first records as there is room for, and return their number."""
        progress, records, queue = span.progress, span.records, self._queues.get(scope)
        before = queue[-1].span if queue else None
        follows = (
            before is not None and before.progress is progress and (before.records[-1].offset + 1 == records[0].offset)
        )
        if not follows and (self._runs.get(progress, 0) >= _MOST_RUNS or progress.scatter > _SCATTERED):
            return 0
        own, sizes = self._bytes_of.get(scope, 0), list[int]()
        for record in records:
            size = len(record.key or b"") + len(record.value or b"") + _OVERHEAD
            if own + size > self._max_bytes - self.bytes:
                break
            own += size
            self.bytes += size
            sizes.append(size)
        if sizes:
            kept = span if len(sizes) == len(records) else span.cut(len(sizes))[0]
            self._bytes_of[scope] = own
            self.records += len(sizes)
            self._queues.setdefault(scope, deque()).append(
                HeldSpan(next(self._numbers), kept, sizes, now, follows=follows)
            )
            self._runs[progress] = self._runs.get(progress, 0) + (not follows)
        return len(sizes)

    def let_go(self, scope: Scope, count: int) -> Span:
        """Take the first records of a queue, of its first span at most; the other queues are before it then."""
        queue = self._queues[scope]
        held = queue[0]
        span, size = held.let_go(count)
        self.bytes -= size
        self._bytes_of[scope] -= size
        self.records -= len(span.records)
        if not len(held):
            queue.popleft()
            self._end_run(span.progress, held)
        self._queues.move_to_end(scope)
        if not queue:
            del self._queues[scope], self._bytes_of[scope]
        return span

    def sort(self, scope_of: Callable[[Span], Scope]) -> None:
        """Put all into the queues that are right for them now, in the order in which they came."""
        everything = sorted(self, key=lambda held: held.sequence)
        self._queues.clear()
        self._bytes_of.clear()
        for held in everything:
            scope = scope_of(held.span)
            self._queues.setdefault(scope, deque()).append(held)
            self._bytes_of[scope] = self._bytes_of.get(scope, 0) + sum(held.sizes[held.at :])

    def take_expired(self, now: float) -> list[Span]:
        """Take out those behind the heads for whom nobody waits any more, wherever they stand."""
        taken = []
        for scope, queue in list(self._queues.items()):
            late = [held for held in itertools.islice(queue, 1, None) if held.deadlines and held.expired(now)]
            for held in late:
                span, size = held.let_go(held.expired(now))
                taken.append(span)
                self.bytes -= size
                self._bytes_of[scope] -= size
                self.records -= len(span.records)
                if not len(held):
                    self._end_run(span.progress, held)
            if late:
                self._queues[scope] = deque(held for held in queue if len(held))
        return taken

    def drop_closed(self) -> bool:
        """Forget requests of partitions that are not ours any more; tell whether there were any."""
        if not any(head.span.progress.closed for _, head in self.heads()):
            return False
        kept = {
            scope: deque(held for held in queue if not held.span.progress.closed)
            for scope, queue in self._queues.items()
        }
        self._queues = OrderedDict((scope, queue) for scope, queue in kept.items() if queue)
        self._bytes_of = {
            scope: sum(sum(held.sizes[held.at :]) for held in queue) for scope, queue in self._queues.items()
        }
        self.bytes = sum(self._bytes_of.values())
        self.records = sum(map(len, self))
        self._runs = {progress: runs for progress, runs in self._runs.items() if not progress.closed}
        return True

    def _end_run(self, progress: PartitionProgress, held: HeldSpan) -> None:
        left = self._runs.pop(progress, 0) - (not held.follows)
        if left > 0:
            self._runs[progress] = left
