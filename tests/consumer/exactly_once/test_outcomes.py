"""Which outcomes a transaction holds, and which state it commits."""

from random import Random
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from penstock.consumer.exactly_once.origins import parts_of, runs_of
from penstock.consumer.exactly_once.outcomes import Outcomes, Planned
from penstock.consumer.finished_set import FinishedSet
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.transport.parcels import Parcel
from penstock.transport.record_encoding import SingleRecords
from tests.support.examples import examples

SOURCE = TopicPartition("requests", 3)
REPLIES = [TopicPartition("replies", number) for number in range(2)]


def record(offset: int) -> Any:
    return ConsumerRecord("requests", 3, offset, 0, 0, b"key", b"{}", None, -1, -1, ())


def request(progress: PartitionProgress, offset: int) -> PendingRequest:
    return PendingRequest(progress, record(offset), Envelope(), None)


def parcel(progress: PartitionProgress, *offsets: int) -> Parcel:
    records = SingleRecords([(b"key", b"%d" % offset, ()) for offset in offsets])
    return Parcel(records, [request(progress, offset) for offset in offsets])


def admitted(count: int) -> PartitionProgress:
    progress = PartitionProgress(SOURCE, 0)
    progress.admit([record(offset) for offset in range(count)])
    return progress


def finished(progress: PartitionProgress, planned: Planned, outcomes: Outcomes) -> list[int]:
    """Commit a plan, as a lane does, and return the offsets that it finished."""
    offsets = []
    for tokens in outcomes.done(planned):
        for each in tokens:
            offsets.append(each.record.offset)
            progress.finish(each.record.offset, each.record.offset + 1)
    progress.committed(planned.state)
    return offsets


def offsets_in(planned: Planned) -> list[int]:
    return [each.record.offset for parcels in planned.parcels.values() for one in parcels for each in one.tokens]


def test_one_transaction_takes_all_that_waits_a_batch_a_partition():
    progress = admitted(6)
    outcomes = Outcomes(progress, 100_000)
    outcomes.add(REPLIES[0], parcel(progress, 0, 1))
    outcomes.add(REPLIES[1], parcel(progress, 2))
    outcomes.add(REPLIES[0], parcel(progress, 4, 5))
    planned = outcomes.plan()
    assert planned is not None
    assert {place: len(batch) for place, batch in planned.batches.items()} == {REPLIES[0]: 4, REPLIES[1]: 1}
    assert planned.state == (3, "1:AQI")  # 4 and 5 are finished beyond it
    assert progress.next_offset == 0, "nothing is finished before it has committed"
    assert finished(progress, planned, outcomes) == [0, 1, 4, 5, 2]
    assert (outcomes.pending, outcomes.plan()) == (0, None)


def test_what_is_put_back_comes_before_what_was_added_meanwhile():
    progress = admitted(4)
    outcomes = Outcomes(progress, 100_000)
    outcomes.add(REPLIES[0], parcel(progress, 0, 1))
    planned = outcomes.plan()
    assert planned is not None
    outcomes.add(REPLIES[0], parcel(progress, 2))
    outcomes.put_back(planned)
    again = outcomes.plan()
    assert again is not None
    assert finished(progress, again, outcomes) == [0, 1, 2]


def test_a_batch_that_is_full_leaves_the_rest_for_the_next_transaction():
    progress = admitted(3)
    outcomes = Outcomes(progress, 200)
    big = [(b"key", b"x" * 80, ())]
    for offset in range(3):
        outcomes.add(REPLIES[0], Parcel(SingleRecords(big), [request(progress, offset)]))
    found = []
    while (planned := outcomes.plan()) is not None:
        found.append(finished(progress, planned, outcomes))
    assert found == [[0], [1], [2]]


def test_a_refused_outcome_is_replaced_in_its_place():
    progress = admitted(3)
    outcomes = Outcomes(progress, 100_000)
    outcomes.add(REPLIES[0], parcel(progress, 0, 1, 2))
    whole = outcomes.plan()
    assert whole is not None
    outcomes.put_back(whole)
    outcomes.suspect(REPLIES[0], 3)
    first = outcomes.plan()
    assert first is not None
    assert first.records == 1
    outcomes.put_back(first)
    error = SingleRecords([(b"k", b"error", ())])
    outcomes.give_up(first, REPLIES[0], lambda token: outcomes.add(REPLIES[0], Parcel(error, [token])))
    last = outcomes.plan()
    assert last is not None
    assert b"error" in last.batches[REPLIES[0]].encoded()
    assert finished(progress, last, outcomes) == [0, 1, 2]


def test_the_state_alone_is_committed_when_it_has_changed_without_an_outcome():
    progress = PartitionProgress(SOURCE, None)
    progress.skip_to(7)
    outcomes = Outcomes(progress, 100_000)
    planned = outcomes.plan()
    assert planned is not None
    assert (planned.batches, planned.state) == ({}, (7, ""))
    progress.committed(planned.state)
    assert outcomes.plan() is None


def scattered(count: int) -> tuple[PartitionProgress, Outcomes]:
    """Outcomes of about every tenth of many offsets, the first ones left out: more than a commit can hold."""
    progress, drawn = admitted(10 * count), Random(1)
    outcomes = Outcomes(progress, 10_000_000)
    for number in range(2, count):
        outcomes.add(REPLIES[0], parcel(progress, 10 * number + drawn.randrange(9)))
    return progress, outcomes


def test_what_a_commit_cannot_hold_waits_for_what_closes_the_gap():
    progress, outcomes = scattered(5_000)
    assert outcomes.plan() is None
    outcomes.add(REPLIES[0], parcel(progress, *range(11)))
    planned = outcomes.plan()
    assert planned is not None
    assert (planned.records, planned.state) == (11, (11, ""))


def test_a_request_that_kills_its_process_stands_alone():
    progress, other = admitted(9), PartitionProgress(TopicPartition("requests", 4), 0)
    requests = [request(progress, offset) for offset in range(4)]
    requests[2].fail(RequestError(ErrorCode.POISON, "no"))
    requests.append(request(other, 8))
    records = SingleRecords([(None, b"%d" % number, ()) for number in range(5)])
    parts = list(parts_of(Parcel(records, requests)))
    assert [[each.record.offset for each in part.tokens] for part in parts] == [[0, 1], [2], [3], [8]]
    assert [len(part.records) for part in parts] == [2, 1, 1, 1]


def test_runs_follow_the_requests_and_not_their_order():
    progress = admitted(9)
    assert list(runs_of(parcel(progress, 3, 4, 1, 2, 8).tokens)) == [(3, 5), (1, 3), (8, 9)]
    assert list(runs_of([])) == []


class Partition(RuleBasedStateMachine):
    """A partition, its owners, and Kafka: what commits, who is fenced, and what is answered again.

    Kafka is a model of three facts: an epoch that each start raises, replies, and a state. A commit of an old epoch
    fails and changes nothing; one of the newest changes replies and state together.
    """

    fences = True

    def __init__(self) -> None:
        super().__init__()
        self.end = 3
        self.replies: list[int] = []
        self.state: tuple[int, str] = (0, "")
        self.epoch = 0
        self.owners: list[Owner] = []
        self.take_over()

    @rule()
    def take_over(self) -> None:
        """Another worker is assigned the partition: start, then read, then open the gate."""
        self.epoch += 1
        offset, metadata = self.state
        progress = PartitionProgress(SOURCE, offset, FinishedSet.decode(metadata, offset))
        self.owners = [*self.owners[-1:], Owner(progress, self.epoch)]  # the last one is a zombie now

    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        self.end += count

    @rule(who=st.integers(0, 1), data=st.data())
    def work(self, who: int, data: st.DataObject) -> None:
        """Fetch what is there, answer some of it, and begin a transaction."""
        owner = self.owner(who)
        start = owner.progress.position
        assert start is not None
        fresh = owner.progress.admit([record(offset) for offset in range(start, self.end)])
        owner.open += [each.offset for each in fresh]
        for place in REPLIES:
            if owner.open:
                chosen = data.draw(st.lists(st.sampled_from(owner.open), max_size=4, unique=True))
                owner.open = [offset for offset in owner.open if offset not in chosen]
                if chosen:
                    owner.outcomes.add(place, parcel(owner.progress, *sorted(chosen)))
        if owner.planned is None:
            owner.planned = owner.outcomes.plan()

    @rule(who=st.integers(0, 1))
    def commit(self, who: int) -> None:
        owner = self.owner(who)
        planned, owner.planned = owner.planned, None
        if planned is None:
            return
        if self.fences and owner.epoch != self.epoch:
            self.owners.remove(owner)
            return
        self.state = planned.state
        self.replies += finished(owner.progress, planned, owner.outcomes)

    @precondition(lambda self: self.owners[-1].planned is not None)
    @rule(committed=st.booleans())
    def lose_the_answer(self, committed: bool) -> None:
        """The end of a transaction is not answered: the owner starts anew and reads what became of it."""
        owner = self.owners[-1]
        planned, owner.planned = owner.planned, None
        assert planned is not None
        before = self.state
        if committed and owner.epoch == self.epoch:
            self.state = planned.state
        self.epoch += 1
        owner.epoch = self.epoch
        if self.state == planned.state and self.state != before:
            self.replies += finished(owner.progress, planned, owner.outcomes)
        else:
            owner.outcomes.put_back(planned)

    def owner(self, who: int) -> "Owner":
        return self.owners[min(who, len(self.owners) - 1)]

    @invariant()
    def none_is_answered_twice(self) -> None:
        assert len(self.replies) == len(set(self.replies))

    @invariant()
    def the_state_says_exactly_what_was_answered(self) -> None:
        offset, metadata = self.state
        beyond = [each for start, stop in FinishedSet.decode(metadata, offset) for each in range(start, stop)]
        assert sorted(self.replies) == [*range(offset), *beyond]

    @invariant()
    def nothing_is_lost_in_memory(self) -> None:
        for owner in self.owners:
            taken = owner.progress.position or 0
            open_ = len(owner.open) + owner.outcomes.pending
            beyond = sum(stop - start for start, stop in owner.progress._finished if start < taken)
            assert (owner.progress.next_offset or 0) + beyond + open_ == taken


class Owner:
    """A worker that has, or believes it has, the partition."""

    def __init__(self, progress: PartitionProgress, epoch: int) -> None:
        self.progress = progress
        self.epoch = epoch
        self.outcomes = Outcomes(progress, 100_000)
        self.open: list[int] = []
        self.planned: Planned | None = None


class Unfenced(Partition):
    """The same, with brokers that let everybody commit."""

    fences = False


def test_whatever_happens_each_request_is_answered_once_and_the_state_says_which():
    run_state_machine_as_test(
        Partition, settings=settings(max_examples=examples(200), stateful_step_count=25, deadline=None)
    )


def test_without_fences_the_same_would_fail():
    # It ends with the first that fails.
    quiet = settings(max_examples=5000, stateful_step_count=25, deadline=None, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Unfenced, settings=quiet)


def test_each_refusal_halves_who_may_be_too_large():
    progress = admitted(8)
    outcomes = Outcomes(progress, 100_000)
    outcomes.add(REPLIES[0], parcel(progress, *range(8)))
    sizes = []
    planned = outcomes.plan()
    while planned is not None and planned.records > 1:  # the third of them is too large
        sizes.append(planned.records)
        if 2 in offsets_in(planned):
            outcomes.put_back(planned)
            outcomes.suspect(REPLIES[0], planned.records)
        else:
            finished(progress, planned, outcomes)
        planned = outcomes.plan()
    assert planned is not None
    assert (sizes, offsets_in(planned)) == ([8, 4, 2], [2])
