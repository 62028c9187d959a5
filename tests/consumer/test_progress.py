"""Progress: no offset is lost and none is repeated, whatever the order of events."""

import random
from collections.abc import Iterable

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.consumer.finished_set import MAX_METADATA_BYTES, FinishedSet
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.record import Record
from tests.support.examples import examples

PLACE = TopicPartition("requests", 3)


def records(offsets: Iterable[int]) -> list[Record]:
    return [ConsumerRecord("requests", 3, offset, 0, 0, None, b"", None, -1, 0, ()) for offset in offsets]


def admitted(progress: PartitionProgress, *offsets: int) -> list[int]:
    return [record.offset for record in progress.admit(records(offsets))]


def progress_at(next_offset: int | None, *runs: tuple[int, int]) -> PartitionProgress:
    finished = FinishedSet()
    for start, stop in runs:
        finished.add(start, stop)
    return PartitionProgress(PLACE, next_offset, finished)


class ProgressMachine(RuleBasedStateMachine):
    """Fetches, finishes, commits and restarts, and keeps a plain set of what was finished.

    The log has gaps: offsets that no record has. Whoever commits and crashes starts again from the commit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[int] = []
        self.end = 0

    @initialize(first=st.sampled_from([0, 5]), committed=st.booleans())
    def start(self, first: int, committed: bool) -> None:
        self.end = first
        self.fetch_from = first
        self.progress = PartitionProgress(PLACE, first if committed else None)
        if not committed:
            self.progress.skip_to(first)
        self.next_offset = first
        self.served: set[int] = set()  # in this life, not finished yet
        self.finished: set[int] = set()
        self.committed: tuple[int, str] = (first, "")
        self.finished_at_commit: set[int] = set()

    @rule(gap=st.sampled_from([0, 0, 0, 1, 3]), count=st.integers(1, 6))
    def produce(self, gap: int, count: int) -> None:
        first = self.end + gap
        self.log += range(first, first + count)
        self.end = first + count

    @rule(most=st.integers(1, 8), back=st.sampled_from([0, 0, 0, 1, 4]))
    def fetch(self, most: int, back: int) -> None:
        """Fetch on from where the last fetch ended, or a little before it."""
        fetched = [offset for offset in self.log if offset >= self.fetch_from - back][:most]
        if not fetched:
            return
        self.fetch_from = max(self.fetch_from, fetched[-1] + 1)
        fresh = admitted(self.progress, *fetched)
        assert fresh == sorted(set(fresh))
        assert not set(fresh) & (self.served | self.finished), "served again"
        self.served |= set(fresh)
        assert self.progress.position is not None
        taken = {offset for offset in self.log if offset < self.progress.position}
        assert taken <= self.served | self.finished, "lost"

    @precondition(lambda self: self.served)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Finish a run of what is being served, first, last or in the middle."""
        start = data.draw(st.sampled_from(sorted(self.served)))
        stop = start + 1
        while stop in self.served and data.draw(st.booleans()):
            stop += 1
        self.progress.finish(start, stop)
        self.served -= set(range(start, stop))
        self.finished |= set(range(start, stop))

    @rule()
    def finish_everything(self) -> None:
        for offset in sorted(self.served):
            self.progress.finish(offset, offset + 1)
        self.finished |= self.served
        self.served = set()
        assert self.progress.idle

    @rule()
    def commit(self) -> None:
        state = self.progress.to_commit()
        if state is not None:
            assert len(state[1]) <= MAX_METADATA_BYTES
            self.committed = state
            self.finished_at_commit = set(self.finished)
            self.progress.committed(state)
            assert self.progress.to_commit() is None

    @rule()
    def restart(self) -> None:
        """Crash: what was finished after the last commit is forgotten, and may be served again."""
        offset, metadata = self.committed
        self.progress = PartitionProgress(PLACE, offset, FinishedSet.decode(metadata, offset))
        self.finished, self.served = set(self.finished_at_commit), set()
        self.fetch_from = self.next_offset = offset

    @rule(at=st.integers(0, 40))
    def seek_to_the_position(self, at: int) -> None:
        """As when an unreadable record was walked past."""
        assert self.progress.position is not None
        self.fetch_from = self.progress.position

    @invariant()
    def next_offset_is_right(self) -> None:
        if not hasattr(self, "progress"):
            return
        next_offset = self.progress.next_offset
        assert next_offset is not None
        assert self.progress.position is not None
        assert self.next_offset <= next_offset <= self.progress.position, "never back, never beyond the position"
        self.next_offset = next_offset
        unfinished = [offset for offset in self.log if offset not in self.finished]
        assert next_offset <= min(unfinished, default=self.end)
        if not self.served:
            assert self.progress.idle

    def teardown(self) -> None:
        """Serve the rest: in the end everything was served and next offset is the end."""
        if not hasattr(self, "progress"):
            return
        self.fetch(1_000_000, 0)
        self.finish_everything()
        self.next_offset_is_right()
        assert self.finished == set(self.log)
        assert self.progress.next_offset == (self.log[-1] + 1 if self.log else self.next_offset)


ProgressMachine.TestCase.settings = settings(max_examples=examples(200), stateful_step_count=25, deadline=None)
test_no_interleaving_loses_or_repeats_an_offset = ProgressMachine.TestCase


def test_records_in_line_are_handed_on_as_they_are() -> None:
    progress, fetched = progress_at(5), records([5, 6, 7])
    assert progress.admit(fetched) is fetched
    assert (progress.next_offset, progress.position) == (5, 8)
    assert list(progress.admit([])) == []


def test_the_first_record_decides_where_there_is_no_commit() -> None:
    progress = progress_at(None)
    assert progress.to_commit() is None
    assert admitted(progress, 7, 8) == [7, 8]
    assert (progress.next_offset, progress.position) == (7, 9)


def test_the_start_of_a_group_is_committed_at_once() -> None:
    progress = progress_at(None)
    progress.skip_to(7)
    assert progress.to_commit() == (7, "")
    progress.committed((7, ""))
    assert progress.to_commit() is None
    assert progress_at(7).to_commit() is None


def test_a_gap_counts_as_finished_when_what_was_before_it_is() -> None:
    progress = progress_at(0)
    assert admitted(progress, 0, 1) == [0, 1]
    assert admitted(progress, 5, 6) == [5, 6]
    assert progress.next_offset == 0
    progress.finish(0, 2)
    assert progress.next_offset == 5
    progress.finish(5, 7)
    assert progress.idle


def test_a_fetch_that_crossed_a_seek_is_not_served_twice() -> None:
    progress = progress_at(0)
    assert admitted(progress, 0, 1, 2) == [0, 1, 2]
    assert admitted(progress, 1, 2, 3) == [3]
    assert admitted(progress, 0, 1) == []
    assert progress.position == 4


def test_what_was_finished_before_a_restart_is_passed_over() -> None:
    progress = progress_at(10, (12, 14), (16, 17))
    assert admitted(progress, 10, 11, 12, 13, 14) == [10, 11, 14]
    assert admitted(progress, 15, 16, 17) == [15, 17]
    assert progress.skipped == 3
    progress.finish(10, 12)
    assert progress.next_offset == 14
    progress.finish(14, 16)
    progress.finish(17, 18)
    assert progress.next_offset == 18
    assert progress.idle


def test_a_gap_that_leads_up_to_a_restored_run_does_not_have_it_served_again() -> None:
    progress = progress_at(10, (12, 15))
    assert admitted(progress, 12, 13, 14, 15) == [15]  # 10 and 11 were transaction markers
    assert progress.next_offset == 15
    assert progress.position == 16
    progress = progress_at(10, (12, 15))
    assert admitted(progress, 12) == []
    assert admitted(progress, 13, 14, 15) == [15]
    progress.finish(15, 16)
    assert progress.idle


def test_work_that_ends_late_does_not_take_the_next_offset_back() -> None:
    progress = progress_at(0)
    admitted(progress, *range(10))
    progress.finish(0, 8)
    progress.finish(2, 5)
    assert progress.next_offset == 8
    assert progress.to_commit() == (8, "")


def test_what_changed_during_a_commit_is_committed_next() -> None:
    progress = progress_at(0)
    admitted(progress, *range(4))
    progress.finish(0, 1)
    state = progress.to_commit()
    progress.finish(2, 3)
    assert state is not None
    progress.committed(state)
    again = progress.to_commit()
    assert again is not None
    assert again[0] == 1
    assert list(FinishedSet.decode(again[1], 1)) == [(2, 3)]


def test_an_offset_put_aside_holds_the_commit_until_it_is_finished() -> None:
    progress = progress_at(4)
    progress.skip_to(5)
    assert not progress.idle
    assert admitted(progress, 5) == [5]
    progress.finish(5, 6)
    assert progress.next_offset == 4
    progress.finish(4, 5)
    assert progress.idle


@pytest.mark.parametrize(("part", "scattered"), [(1.0, False), (0.5, True)])
def test_a_scattered_partition_must_wait_for_its_gaps(part: float, scattered: bool) -> None:
    progress, dice = progress_at(0), random.Random(5)
    admitted(progress, *range(20_000))
    for offset in range(1, 20_000):
        if dice.random() <= part:
            progress.finish(offset, offset + 1)
    assert progress.too_scattered is scattered
    state = progress.to_commit()
    assert state is not None
    assert len(state[1]) <= MAX_METADATA_BYTES
    progress.finish(0, 20_000)
    assert not progress.too_scattered


def test_a_partition_is_held_long_before_anything_is_left_out_of_its_commit() -> None:
    progress, dice = progress_at(0), random.Random(6)
    admitted(progress, *range(20_000))
    finished = [offset for offset in range(1, 20_000) if dice.random() < 0.5]
    for offset in finished:
        progress.finish(offset, offset + 1)
        if progress.too_scattered:
            break
    state = progress.to_commit()
    assert state is not None
    # Room for as much again: what is in memory already still finishes.
    assert len(state[1]) <= MAX_METADATA_BYTES // 2 + 100
    found = [each for start, stop in FinishedSet.decode(state[1], 0) for each in range(start, stop)]
    assert found == finished[: finished.index(offset) + 1]


def test_metadata_of_another_program_are_not_taken_for_finished_offsets() -> None:
    progress = PartitionProgress(PLACE, 3, FinishedSet.decode("1:hello world", 3))
    assert admitted(progress, *range(3, 200)) == list(range(3, 200))


def test_repr_shows_how_far_it_has_come() -> None:
    progress = progress_at(10, (12, 14))
    assert repr(progress) == "<PartitionProgress requests/3 next=10 position=10 <FinishedSet [(12, 14)]>>"
    assert progress.source == b"requests/3/"


def test_a_log_that_was_cut_off_is_served_from_what_is_unfinished_before_its_end() -> None:
    progress = PartitionProgress(PLACE, 10)
    admitted(progress, *range(10, 40))
    progress.finish(10, 12)
    progress.finish(15, 18)
    progress.finish(25, 30)
    cut = progress.cut_off(27)
    assert (cut.next_offset, cut.position) == (12, 12)
    assert admitted(cut, *range(12, 27)) == [12, 13, 14, *range(18, 25)]
    assert progress.cut_off(5).next_offset == 5
