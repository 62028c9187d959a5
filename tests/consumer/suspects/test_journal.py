"""The journal that a supervisor reads after a death, and the suspicions that are drawn from it."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.block import RequestBlock
from penstock.consumer.narrowing import LONE_TRIES, Part
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.suspects.journal import (
    JOURNAL_BYTES,
    Death,
    Run,
    RunJournal,
    decode_death,
    encode_death,
    journal_file,
    read_journal,
    runs_of,
)
from penstock.consumer.suspects.journal_name import suspects_topic
from penstock.consumer.suspects.suspects import Suspects
from penstock.core.batch import Batch
from penstock.core.chunk import BatchKey, Chunk
from penstock.schemas.envelope import BARE
from penstock.schemas.errors import ErrorCode, RequestError

AT = 1000  # every record's timestamp


def block_of(offsets: Sequence[int], partition: int = 0, topic: str = "requests", at: int = AT) -> RequestBlock:
    records = [ConsumerRecord(topic, partition, offset, at, 0, None, b"", None, -1, 0, ()) for offset in offsets]
    progress = PartitionProgress(TopicPartition(topic, partition), 0)
    return RequestBlock(progress, BARE, ("replies", 0), list(records), [None] * len(records), weight=0)


def batch_of(*blocks: RequestBlock | list[PendingRequest], model: str = "m") -> Batch[PendingRequest]:
    key = BatchKey(model)
    chunks = []
    for block in blocks:
        rows = len(block) if isinstance(block, RequestBlock) else sum(request.rows for request in block)
        uniform = isinstance(block, RequestBlock)
        chunks.append(Chunk(key, block, {"x": np.zeros(rows)}, rows, 0.0, uniform=uniform))
    return Batch(key, chunks, sum(chunk.rows for chunk in chunks))


def offsets_of(batch: Batch[PendingRequest]) -> list[int]:
    return [request.record.offset for request in batch.requests]


def test_what_runs_is_read_by_somebody_else_and_nothing_once_it_has_run() -> None:
    with journal_file() as file:
        journal = RunJournal(file)
        assert read_journal(file) == ()
        batch = batch_of(block_of([3, 4, 8]), block_of([7], partition=2), block_of([9, 11]))
        journal.begins(batch)
        assert set(read_journal(file)) == {Run("m", "requests", 0, 3, 11, None), Run("m", "requests", 2, 7, 7, None)}
        journal.ends(batch)
        assert read_journal(file) == ()


def test_a_request_that_runs_alone_is_known_by_its_timestamp() -> None:
    assert runs_of(batch_of(block_of([5]))) == (Run("m", "requests", 0, 5, 5, AT),)
    requests = list(block_of([5, 6, 7]))
    for failed in (requests[0], requests[2]):
        failed.fail(RequestError(ErrorCode.EXPIRED, "late"))
    requests[1].rows = 3
    assert runs_of(batch_of(requests)) == (Run("m", "requests", 0, 6, 6, AT),)


def test_nobody_was_alone_while_the_end_of_another_run_has_not_been_heard_of() -> None:
    with journal_file() as file:
        journal = RunJournal(file)
        first, second = batch_of(block_of([5])), batch_of(block_of([6]))
        journal.begins(first)
        journal.begins(second)
        assert read_journal(file) == (Run("m", "requests", 0, 5, 5, None), Run("m", "requests", 0, 6, 6, None))
        journal.ends(first)
        assert read_journal(file) == (Run("m", "requests", 0, 6, 6, AT),)


def test_a_batch_without_rows_is_passed_over() -> None:
    with journal_file() as file:
        journal = RunJournal(file)
        empty = Batch[PendingRequest](BatchKey(""), [Chunk(BatchKey(""), [], {}, 0, 0.0)], 0)
        journal.begins(empty)
        assert read_journal(file) == ()
        journal.ends(empty)


def test_what_does_not_fit_is_not_told() -> None:
    with journal_file() as file:
        journal = RunJournal(file)
        wide = batch_of(*(block_of([1], topic="t" * 240, partition=number) for number in range(300)))
        journal.begins(wide)
        assert read_journal(file) == ()
        journal.ends(wide)
        journal.begins(batch_of(block_of([5])))
        assert len(read_journal(file)) == 1
        assert JOURNAL_BYTES < 300 * 240


runs = st.builds(
    Run,
    st.text(max_size=5),
    st.text(max_size=5),
    st.integers(0, 9),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
    st.none() | st.integers(-1, 2**62),
)


@given(st.lists(runs).map(tuple))
def test_a_death_survives_the_topic(death: Death) -> None:
    assert decode_death(encode_death(death)) == death


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"null", b"[1]", b"[[]]", b'[["m", "t", "0", 1, 2, null]]', b'[["m", "t", 0, 1]]', b"\xff"]
)
def test_what_is_no_death_is_passed_over(text: bytes) -> None:
    assert decode_death(text) == ()


def test_any_group_has_a_topic() -> None:
    assert suspects_topic("my-service") == "my-service-suspects"
    assert suspects_topic("a b/ü" * 100) == ("a_b__" * 48) + "-suspects"


def test_suspicion_is_of_one_model_and_one_place() -> None:
    suspects = Suspects()
    suspects.add((Run("m", "requests", 0, 4, 5, None),))
    for innocent in (
        batch_of(block_of([4, 5]), model="other"),
        batch_of(block_of([4, 5], partition=1)),
        batch_of(block_of([4, 5], topic="others")),
        batch_of(block_of([1, 2, 3, 6])),
    ):
        assert suspects.set_apart(innocent) == [Part(innocent)]


def test_a_topic_that_was_made_anew_inherits_no_lone_death() -> None:
    suspects = Suspects()
    for _ in range(2):
        suspects.add((Run("m", "requests", 0, 4, 4, AT),))
    (old,) = suspects.set_apart(batch_of(block_of([4])))
    assert (old.lone_deaths, old.suspect) == (2, True)
    (new,) = suspects.set_apart(batch_of(block_of([4], at=AT + 1)))
    assert (new.lone_deaths, new.suspect) == (0, False)


@given(
    st.lists(st.lists(st.integers(0, 40), unique=True, min_size=1).map(sorted), min_size=1, max_size=4),
    st.sets(st.integers(0, 40)),
    st.booleans(),
)
def test_a_batch_falls_apart_in_order(chunks: list[list[int]], suspected: set[int], itemised: bool) -> None:
    suspects = Suspects()
    for offset in suspected:
        suspects.add((Run("m", "requests", 0, offset, offset, None),))
    blocks = [block_of(offsets) for offsets in chunks]
    parts = suspects.set_apart(batch_of(*(list(block) if itemised else block for block in blocks)))
    assert [offset for part in parts for offset in offsets_of(part.batch)] == list(chain.from_iterable(chunks))
    assert all(part.batch.rows == len(offsets_of(part.batch)) for part in parts)
    for part in parts:
        offsets = offsets_of(part.batch)
        assert part.suspect == (offsets[0] in suspected)
        assert not part.suspect or len(offsets) == 1
        assert part.suspect or not suspected & set(offsets)


@given(
    st.integers(1, 60),
    st.sets(st.integers(0, 59), max_size=4),
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.integers(0, 10),
)
def test_a_row_kills_three_workers_at_most_and_takes_nobody_along(
    count: int, deadly: set[int], sizes: list[int], uncommitted: int
) -> None:
    deadly = {offset for offset in deadly if offset < count}
    suspects, answered, poisoned = Suspects(), Counter[int](), set[int]()
    lone, deaths, start = Counter[int](), 0, 0
    while start < count:  # a life: what is not committed is met again, in batches of other sizes
        deaths += 1
        died_at = _live(suspects, start, count, deadly, sizes[deaths % len(sizes)], (answered, poisoned, lone))
        start = count if died_at is None else max(start, died_at - uncommitted)
    assert poisoned == deadly
    assert answered.keys() == set(range(count)) - deadly
    assert all(lone[offset] <= LONE_TRIES for offset in deadly)
    assert deaths - 1 <= 3 * len(deadly)


def _live(
    suspects: Suspects,
    start: int,
    count: int,
    deadly: set[int],
    size: int,
    told: tuple[Counter[int], set[int], Counter[int]],
) -> int | None:
    """One worker's life; returns the first offset of the batch that it died of."""
    answered, poisoned, lone = told
    for first in range(start, count, size):
        for part in suspects.set_apart(batch_of(block_of(range(first, min(first + size, count))))):
            offsets = offsets_of(part.batch)
            if part.lone_deaths >= LONE_TRIES:
                poisoned.update(offsets)
                continue
            if len(offsets) == 1:
                lone.update(offsets)
            if deadly & set(offsets):
                suspects.add(runs_of(part.batch))
                return offsets[0]
            answered.update(offsets)
    return None
