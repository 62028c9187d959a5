"""Committed states that Kafka, or the room in a commit, takes something away from: nothing else is lost by that."""

from typing import Final

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from penstock.consumer import finished_set
from penstock.consumer.finished_set import FinishedSet
from penstock.consumer.lost_requests import loss_of
from penstock.consumer.progress import PartitionProgress
from tests.support.examples import examples

PLACE = TopicPartition("requests", 3)
_ROOM: Final = 24  # bytes of a commit's metadata before base64, in place of nearly 3,000
_PLAIN_ROOM: Final = 12


class Losing(RuleBasedStateMachine):
    """A partition whose log loses its beginning, and whose commits have next to no room beyond the next offset.

    The log has gaps. The model: which offsets were answered, which of them a commit has said, which Kafka has lost.
    """

    commits_too_much = False

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(finished_set, "_MAX_BINARY", _ROOM)
        self.patch.setattr(finished_set, "_FEW_BINARY", _PLAIN_ROOM)
        self.log: list[int] = []
        self.beginning = self.end = 0
        self.gaps: set[int] = set()
        self.answered: set[int] = set()
        self.lost: set[int] = set()
        self.committed = (0, "")
        self.begin_again()

    def teardown(self) -> None:
        """Serve the rest: in the end everything was answered, or is known to be lost."""
        try:
            self.fetch(10_000)
            self.answer_all()
            assert self.progress.idle
            assert self.answered | self.lost >= set(self.log)
            assert self.progress.next_offset == max([self.log[-1] + 1 if self.log else 0, self.beginning])
        finally:
            self.patch.undo()

    @initialize(count=st.integers(20, 60))
    def produce_a_lot(self, count: int) -> None:
        self.produce(0, count)

    @rule(gap=st.sampled_from([0, 0, 1, 2]), count=st.integers(1, 8))
    def produce(self, gap: int, count: int) -> None:
        first = self.end + gap
        self.gaps |= set(range(self.end, first))
        self.log += range(first, first + count)
        self.end = first + count

    @rule(most=st.integers(1, 40))
    def fetch(self, most: int) -> None:
        position = self.progress.position
        assert position is not None
        loss = loss_of(position, self.beginning, self.end)
        if loss is not None:  # what `LostRequests` does
            self.lost |= {offset for offset in self.log if loss.start <= offset < loss.stop and self.unserved(offset)}
            self.progress.finish(loss.start, loss.stop)
            self.progress.skip_to(loss.stop)
            position = loss.stop
        offsets = [offset for offset in self.log if offset >= max(position, self.beginning)][:most]
        records = [ConsumerRecord(*PLACE, offset, 0, 0, None, b"", None, -1, 0, ()) for offset in offsets]
        fresh = [each.offset for each in self.progress.admit(records)]
        assert not set(fresh) & self.said, "served again, though the commit had room to say that it was finished"
        assert not set(fresh) & self.served
        self.served |= set(fresh)

    @rule(every=st.integers(2, 3), last=st.booleans())
    def answer_some(self, every: int, last: bool) -> None:
        """Answer here and there, so that many runs lie beyond the first gap."""
        chosen = sorted(self.served)[1::every] if last else sorted(self.served)[::every]
        self.answer(chosen)

    @rule()
    def answer_all(self) -> None:
        self.answer(sorted(self.served))

    @rule()
    def commit(self) -> None:
        state = self.progress.to_commit()
        if self.commits_too_much and self.progress.position is not None:
            state = self.progress.position, ""
        if state is not None:
            assert len(state[1]) <= _ROOM * 4 // 3 + 3
            self.committed = state
            self.progress.committed(state)

    @rule()
    def begin_again(self) -> None:
        """Crash; what was committed is read."""
        offset, metadata = self.committed
        finished = FinishedSet.decode(metadata, offset)
        self.said = {*range(offset), *(each for start, stop in finished for each in range(start, stop))}
        self.progress = PartitionProgress(PLACE, offset, finished)
        self.served: set[int] = set()

    @rule(count=st.integers(1, 30))
    def lose(self, count: int) -> None:
        """Retention takes the beginning of the log away, served or not."""
        self.beginning = min(self.end, self.beginning + count)

    @invariant()
    def nothing_unfinished_is_passed(self) -> None:
        offset, metadata = self.committed
        runs = FinishedSet.decode(metadata, offset)
        passed = {*range(offset), *(each for start, stop in runs for each in range(start, stop))}
        assert passed & set(self.log) <= self.answered | self.lost

    def answer(self, offsets: list[int]) -> None:
        for offset in offsets:
            self.progress.finish(offset, offset + 1)
        self.served -= set(offsets)
        self.answered |= set(offsets)

    def unserved(self, offset: int) -> bool:
        return offset not in self.answered and offset not in self.served


class Hasty(Losing):
    """The same, with a worker that commits what it has taken in."""

    commits_too_much = True


def test_what_is_lost_is_told_and_the_rest_is_served() -> None:
    run_state_machine_as_test(
        Losing, settings=settings(max_examples=examples(200), stateful_step_count=20, deadline=None)
    )


def test_a_commit_of_what_is_not_finished_would_be_found() -> None:
    quiet = settings(max_examples=200, stateful_step_count=20, deadline=None, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Hasty, settings=quiet)
