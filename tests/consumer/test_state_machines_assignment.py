"""Assignments: whoever has lost a partition commits nothing of it any more, however late its work ends."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar, cast

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from penstock.consumer.assignment import Assignment
from penstock.consumer.committer import Committer
from penstock.consumer.finished_set import FinishedSet
from penstock.consumer.progress import PartitionProgress
from penstock.core.metrics import Metrics
from penstock.transport.group import CommittedOffsets
from tests.support.examples import examples

T = TypeVar("T")

PLACES = [TopicPartition("requests", number) for number in range(3)]
METRICS = Metrics()


class Work(NamedTuple):
    """A request that is being served, for the assignment that it was taken in under."""

    progress: PartitionProgress
    offset: int


class Coordinator:
    """What the group's coordinator keeps, and whose commits it takes: those of the present generation."""

    def __init__(self) -> None:
        self.generation = 0
        self.committed: dict[TopicPartition, OffsetAndMetadata] = {}

    async def read(self, places: Iterable[TopicPartition], _: float) -> dict[TopicPartition, OffsetAndMetadata]:
        return {place: self.committed[place] for place in places if place in self.committed}


class Client:
    """A consumer as far as an assignment sees it. Like aiokafka's, it commits under the generation it is in now."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self.generation = 0
        self.positions: dict[TopicPartition, int] = {}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.positions[place] = offset

    async def beginning_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        if self.generation != self._coordinator.generation:
            raise kafka_errors.CommitFailedError
        self._coordinator.committed.update(offsets)


class Member:
    """A worker: its assignment and its committer, and what it serves."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.client = Client(coordinator)
        consumer = cast(AIOKafkaConsumer, self.client)
        committed = cast(CommittedOffsets, coordinator)
        self.assignment = Assignment(consumer, committed, self.drain, beginning=True, timeout_s=5.0)
        opened = lambda: self.assignment.open  # noqa: E731  # closes over this member
        self.committer = Committer(consumer, opened, METRICS, interval_s=1.0, timeout_s=5.0)
        self.serving: list[Work] = []  # of all its assignments: nothing that runs is called back
        self.in_time = 0  # how much of it ends while it drains

    async def drain(self) -> None:
        for work in self.serving[: self.in_time]:
            work.progress.finish(work.offset, work.offset + 1)
        self.serving = self.serving[self.in_time :]
        await self.committer.commit()


class Group(RuleBasedStateMachine):
    """Two workers share three partitions. The model is the set of offsets that each assignment has answered."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.coordinator = Coordinator()
        self.members = [Member(self.coordinator) for _ in range(2)]
        self.ends = dict.fromkeys(PLACES, 0)
        self.answered: dict[TopicPartition, set[int]] = {place: set() for place in PLACES}
        self.rebalance([0, 0, 1], zombie=None, in_time=0)

    def teardown(self) -> None:
        self.loop.close()

    def run_(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @rule(
        owners=st.lists(st.integers(0, 1), min_size=3, max_size=3),
        zombie=st.sampled_from([None, None, 0, 1]),
        in_time=st.integers(0, 4),
    )
    def rebalance(self, owners: list[int], zombie: int | None, in_time: int) -> None:
        """Share the partitions out anew. A member that has lost its session hears nothing of it until it is back."""
        there = [member for number, member in enumerate(self.members) if number != zombie]
        for member in there:
            member.in_time = in_time
            self.note(member.serving[:in_time])
            self.run_(member.assignment.on_partitions_revoked(PLACES))
        self.coordinator.generation += 1
        for number, member in enumerate(self.members):
            if member in there:
                member.client.generation = self.coordinator.generation
                own = [place for place, owner in zip(PLACES, owners, strict=True) if owner == number or zombie == owner]
                self.run_(member.assignment.on_partitions_assigned(own))
                assert member.assignment.failure is None

    @rule(who=st.integers(0, 1), count=st.integers(1, 4), place=st.sampled_from(PLACES))
    def fetch(self, who: int, count: int, place: TopicPartition) -> None:
        self.ends[place] += count
        member = self.members[who]
        progress = member.assignment.open.get(place)
        if progress is None:
            return
        start = member.client.positions[place]
        assert start == progress.position
        offsets = range(start, self.ends[place])
        records = [ConsumerRecord(*place, offset, 0, 0, None, b"", None, -1, 0, ()) for offset in offsets]
        member.serving += [Work(progress, each.offset) for each in progress.admit(records)]
        member.client.positions[place] = self.ends[place]

    @rule(who=st.integers(0, 1), data=st.data())
    def finish(self, who: int, data: st.DataObject) -> None:
        """End some of what is being served, of an assignment that is over too."""
        member = self.members[who]
        if member.serving:
            chosen = data.draw(st.lists(st.sampled_from(member.serving), unique=True, max_size=5))
            self.note(chosen)
            for work in chosen:
                work.progress.finish(work.offset, work.offset + 1)
                member.serving.remove(work)

    @rule(who=st.integers(0, 1))
    def commit(self, who: int) -> None:
        member = self.members[who]
        before = dict(self.coordinator.committed)
        self.run_(member.committer.commit())
        if member.client.generation != self.coordinator.generation:
            assert self.coordinator.committed == before

    @precondition(lambda self: all(member.client.generation for member in self.members))
    @rule(who=st.integers(0, 1))
    def end_everything_late(self, who: int) -> None:
        """Work of assignments that are over changes nothing that a commit says."""
        member = self.members[who]
        states = {place: progress.to_commit() for place, progress in member.assignment.open.items()}
        late = [work for work in member.serving if work.progress.closed]
        for work in late:
            work.progress.finish(work.offset, work.offset + 1)
            member.serving.remove(work)
        assert {place: progress.to_commit() for place, progress in member.assignment.open.items()} == states

    @invariant()
    def what_is_committed_was_answered(self) -> None:
        for place, (offset, metadata) in self.coordinator.committed.items():
            beyond = [each for start, stop in FinishedSet.decode(metadata, offset) for each in range(start, stop)]
            assert {*range(offset), *beyond} <= self.answered[place], "passed over, and nobody has answered it"

    @invariant()
    def nobody_else_has_an_open_partition_of_the_present_generation(self) -> None:
        present = [each for each in self.members if each.client.generation == self.coordinator.generation]
        opened = [place for member in present for place in member.assignment.open]
        assert len(opened) == len(set(opened))
        assert not [each for member in present for each in member.assignment.open.values() if each.closed]

    def note(self, finished: Iterable[Work]) -> None:
        """Remember what is answered for an assignment that still counts; late answers are given again."""
        for work in finished:
            if not work.progress.closed:
                self.answered[work.progress.place].add(work.offset)


class Deaf(Group):
    """The same, with work that reports to whoever has the partition now."""

    @rule(who=st.integers(0, 1))
    def end_everything_late(self, who: int) -> None:
        for work in self.members[who].serving:
            for member in self.members:
                if (progress := member.assignment.open.get(work.progress.place)) is not None:
                    progress.finish(work.offset, work.offset + 1)


def test_work_that_ends_late_never_commits() -> None:
    run_state_machine_as_test(
        Group, settings=settings(max_examples=examples(200), stateful_step_count=20, deadline=None)
    )


def test_without_a_progress_for_each_assignment_it_would() -> None:
    quiet = settings(max_examples=300, stateful_step_count=20, deadline=None, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Deaf, settings=quiet)
