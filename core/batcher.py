"""The micro-batcher: which requests run next, and how many together.

Work-conserving: whoever asks gets what is there, up to `max_rows`. While the engine is busy nobody asks, and the
next batch gathers by itself; so an idle service answers at once and a loaded one batches. `max_delay_s` trades
that for fuller batches.

Pure: no clock, no tasks, no Kafka. Time comes in as `now`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic

from penstock.core.batch import Batch
from penstock.core.chunk import BatchKey, Chunk, R

_QUICK_ROW_S: Final = 1e-5  # of a model whose batches may grow: 512 rows in 5 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """How batches form.

    Attributes:
        max_rows: the most rows of a batch. A single request with more runs alone.
        quick_rows: the same, once a model has run a full batch at 10 microseconds a row: what is done by the batch is
            then done less often, and nobody waits long for it. At or below `max_rows` it changes nothing.
        max_delay_s: how long an incomplete batch may wait for more rows; 0 never waits.
    """

    max_rows: int = 512
    quick_rows: int = 0
    max_delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.max_rows < 1:
            raise ValueError(f"max_rows must be at least 1, not {self.max_rows}")
        if not 0 <= self.max_delay_s < 60:  # a minute would be a batch job, not a micro-batch
            raise ValueError(f"max_delay_s must be in [0, 60), not {self.max_delay_s}")


class MicroBatcher(Generic[R]):
    """Queues chunks by model and cuts batches off their heads.

    A model's chunks leave in the order they came: a batch is a prefix of its queue with one key, so the order of
    the requests of a record key holds per model. Among models, the one whose head has waited longest goes first.

    Args:
        policy: of the models that have none of their own.
        is_ready: tells whether requests for a model and a version could run now; while they could not, that model's
            queue waits, and no other.

    `rows` and `requests` count what is queued; only `add`, `take` and `clear` change them.
    """

    def __init__(self, policy: BatchPolicy, is_ready: Callable[[str, str | None], bool] | None = None) -> None:
        self._policy = policy
        self._policies: Mapping[str, BatchPolicy] = {}
        self._is_ready = is_ready
        self._queues: dict[str, deque[Chunk[R]]] = {}
        self._quick: set[str] = set()  # models
        self._resting: set[str] = set()  # models
        self.rows = 0
        self.requests = 0

    def __len__(self) -> int:
        return self.requests

    def __repr__(self) -> str:
        return f"<MicroBatcher {self.requests} requests, {self.rows} rows, models {sorted(self._queues)}>"

    def add(self, chunks: Iterable[Chunk[R]]) -> None:
        """Queue chunks, in the order given. Empty chunks are passed over."""
        for chunk in chunks:
            if chunk.requests:
                self._queues.setdefault(chunk.key.model, deque()).append(chunk)
                self._count(chunk, 1)

    @property
    def policy(self) -> BatchPolicy:
        """Of the models that have none of their own."""
        return self._policy

    def set_policies(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Set the policies of models that have one of their own, instead of those set before."""
        self._policies = policies

    def rest(self, model: str, rests: bool) -> None:
        """Hold the queue of a model back, and no other, or let it go on; what expires in it leaves all the same."""
        (self._resting.add if rests else self._resting.discard)(model)

    @property
    def most_rows(self) -> int:
        """The most rows that a batch of any model may have now."""
        return max([self._policy.max_rows, *map(self._most_for, self._policies), *map(self._most_for, self._quick)])

    @property
    def ready_rows(self) -> int:
        """Rows of what is queued, without the queues that wait for their model."""
        if self._is_ready is None and not self._resting:
            return self.rows
        waiting = [queue for queue in self._queues.values() if not self._may_run(queue)]
        return self.rows - sum(chunk.rows for queue in waiting for chunk in queue)

    def observe(self, model: str, rows: int, ran_s: float) -> None:
        """Learn how long a batch took; a full one decides how large the model's next ones may be.

        Args:
            model: whose batch it was.
            rows: rows that ran.
            ran_s: seconds they took.
        """
        if rows >= self._policy_of(model).max_rows:
            (self._quick.add if ran_s <= rows * _QUICK_ROW_S else self._quick.discard)(model)

    def take(self, now: float) -> Batch[R] | None:
        """Take the next batch, or None when there is none or it had better wait for more rows.

        Args:
            now: monotonic seconds.
        """
        if (self._is_ready is not None or self._resting) and (late := self._take_late(now)) is not None:
            return late
        due = [queue for queue in self._queues.values() if self._is_due(queue, now) and self._may_run(queue)]
        if not due:
            return None
        queue = due[0] if len(due) == 1 else min(due, key=lambda queue: queue[0].arrived)
        batch = self._cut(queue)
        if not queue:
            del self._queues[batch.key.model]
        for chunk in batch.chunks:
            self._count(chunk, -1)
            chunk.expire(now)
        batch.rows = sum(chunk.rows for chunk in batch.chunks)
        return batch

    def next_due(self) -> float | None:
        """Return when the next batch is due at the latest, monotonic seconds; None when nothing could run or expire."""
        dues = [self._due_at(queue) if self._may_run(queue) else queue[0].deadline for queue in self._queues.values()]
        return min((due for due in dues if due is not None), default=None)

    def _take_late(self, now: float) -> Batch[R] | None:
        """Take a chunk that waits for its model and that nobody waits for any more, to be answered without it."""
        for name, queue in self._queues.items():
            head = queue[0]
            if head.deadline is None or now < head.deadline or self._may_run(queue):
                continue
            self._count(head, -1)
            head.expire(now)
            if head.rows:  # some of it can still be waited for
                self._count(head, 1)
                continue
            queue.popleft()
            if not queue:
                del self._queues[name]
            return Batch(head.key, [head], 0)
        return None

    def clear(self) -> list[R]:
        """Forget everything queued and return the requests, in no particular order."""
        dropped = [request for queue in self._queues.values() for chunk in queue for request in chunk.requests]
        self._queues.clear()
        self.rows = self.requests = 0
        return dropped

    def _may_run(self, queue: deque[Chunk[R]]) -> bool:
        key = queue[0].key
        if key.model in self._resting:
            return False
        return self._is_ready is None or self._is_ready(key.model, key.version)

    def _policy_of(self, model: str) -> BatchPolicy:
        return self._policies.get(model, self._policy)

    def _due_at(self, queue: deque[Chunk[R]]) -> float:
        return queue[0].arrived + self._policy_of(queue[0].key.model).max_delay_s

    def _is_due(self, queue: deque[Chunk[R]], now: float) -> bool:
        head = queue[0]
        if now >= self._due_at(queue) or not head.key.batched:
            return True
        most, rows = self._max_rows(head.key), 0
        for chunk in queue:
            if chunk.key != head.key:  # it cannot grow any more
                return True
            rows += chunk.rows
            if rows >= most:
                return True
        return False

    def _cut(self, queue: deque[Chunk[R]]) -> Batch[R]:
        key = queue[0].key
        most, rows, taken = self._max_rows(key), 0, list[Chunk[R]]()
        while queue and queue[0].key == key and (rows < most or not taken):
            chunk = queue.popleft()
            room = most - rows
            if chunk.rows > room:
                if taken and not chunk.requests[0].rows <= room:
                    queue.appendleft(chunk)
                    break
                chunk, rest = chunk.split(room)
                if rest.requests:
                    queue.appendleft(rest)
            taken.append(chunk)
            rows += chunk.rows
            if not key.batched:
                break
        return Batch(key, taken, rows)

    def _max_rows(self, key: BatchKey) -> int:
        most = self._most_for(key.model)
        return most if key.max_rows is None else min(most, key.max_rows)

    def _most_for(self, model: str) -> int:
        policy = self._policy_of(model)
        return max(policy.max_rows, policy.quick_rows) if model in self._quick else policy.max_rows

    def _count(self, chunk: Chunk[R], sign: int) -> None:
        self.rows += sign * chunk.rows
        self.requests += sign * len(chunk.requests)
