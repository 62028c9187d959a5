"""When a worker stops taking requests because nearly all fail, and when it tries again. No clock but `now`."""

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.failure_cap.cap import PROBES, CapPolicy, FailureCap, ModelOutcomes
from penstock.consumer.failure_cap.causes import count_unanswerable, is_own
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError

RATIO = CapPolicy(ratio=0.9, window=100, run=0, retry_s=10.0)
RUN = CapPolicy(ratio=0.0, window=100, run=20, retry_s=10.0)


def tripped(policy: CapPolicy = RATIO) -> FailureCap:
    """A cap that holds since 0."""
    cap = FailureCap(policy)
    assert cap.observe("iris", 0, 100, 0.0)
    return cap


def probe(cap: FailureCap, now: float, good: int, failed: int) -> int | None:
    """Let probes through, tell what became of them, and return the room there is then."""
    assert cap.room(now, idle=True) == PROBES
    cap.took(PROBES)
    assert cap.room(now, idle=False) == 0  # not before the last of them is answered
    cap.observe("iris", good, failed, now)
    return cap.room(now, idle=True)


def test_while_requests_succeed_everything_is_taken() -> None:
    cap = FailureCap(RATIO)
    for _ in range(50):
        assert not cap.observe("iris", 20, 80, 0.0)
    assert cap.room(0.0, idle=False) is None
    assert cap.reason is None


@pytest.mark.parametrize(("good", "failed", "trips"), [(10, 90, True), (11, 89, False), (0, 99, False), (0, 100, True)])
def test_the_bound_is_a_share_of_a_whole_window(good: int, failed: int, trips: bool) -> None:
    cap = FailureCap(RATIO)
    if good:
        assert not cap.observe("iris", good, 0, 0.0)
    assert cap.observe("iris", 0, failed, 0.0) is trips
    assert (cap.room(0.0, idle=True) is None) is not trips


def test_what_lies_before_the_window_is_forgotten() -> None:
    cap = FailureCap(RATIO)
    cap.observe("iris", 1000, 0, 0.0)
    trips = [cap.observe("iris", 0, 10, 0.0) for _ in range(20)]
    assert trips.index(True) == 9  # with the tenth ten the good ones are a window away


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60), st.integers(1, 80))
def test_sums_are_those_of_the_last_batches(batches: list[tuple[int, int]], window: int) -> None:
    outcomes = ModelOutcomes()
    for good, failed in batches:
        outcomes.add(good, failed, window)
    kept: list[tuple[int, int]] = []
    for batch in reversed(batches):
        if sum(map(sum, kept)) >= window:
            break
        kept.append(batch)
    assert (outcomes.good, outcomes.failed) == (sum(each[0] for each in kept), sum(each[1] for each in kept))


def test_a_run_of_failures_is_a_bound_of_its_own() -> None:
    cap = FailureCap(RUN)
    assert not cap.observe("iris", 0, 19, 0.0)
    assert not cap.observe("iris", 1, 0, 0.0)
    assert not cap.observe("iris", 0, 19, 0.0)
    assert cap.observe("iris", 0, 1, 0.0)


def test_models_are_judged_apart() -> None:
    cap = FailureCap(RATIO)
    cap.observe("digits", 10_000, 0, 0.0)
    assert cap.observe("iris", 0, 100, 0.0)
    assert cap.reason == "100 of the last 100 requests of iris failed"


def test_without_bounds_nothing_is_ever_held() -> None:
    cap = FailureCap(CapPolicy(ratio=0.0, window=1, run=0, retry_s=1.0))
    assert not cap.observe("iris", 0, 10**9, 0.0)
    assert cap.room(0.0, idle=True) is None


def test_nothing_is_taken_until_a_pause_is_over_and_all_is_answered() -> None:
    cap = tripped()
    assert cap.room(9.9, idle=True) == 0
    assert cap.room(10.0, idle=False) == 0
    assert cap.room(10.0, idle=True) == PROBES
    cap.took(PROBES - 1)
    assert cap.room(10.0, idle=True) == 1


def test_probes_that_succeed_let_everything_through() -> None:
    cap = tripped()
    assert probe(cap, 10.0, PROBES, 0) is None
    assert cap.reason is None
    assert not cap.observe("iris", 0, 99, 11.0)  # it begins anew


def test_probes_that_fail_double_the_pause_up_to_a_bound() -> None:
    cap, now, pauses = tripped(), 10.0, []
    for _ in range(7):
        assert probe(cap, now, 0, PROBES) == 0
        pauses.append(cap.holds["iris"].probe_at - now)
        now = cap.holds["iris"].probe_at
    assert pauses == [20, 40, 80, 160, 200, 200, 200]


def test_probes_for_other_models_decide_nothing() -> None:
    cap = tripped()
    assert cap.room(10.0, idle=True) == PROBES
    cap.took(PROBES)
    cap.observe("digits", PROBES, 0, 10.0)
    assert cap.room(10.0, idle=True) == PROBES
    assert cap.reason is not None


def test_what_was_on_its_way_when_it_stopped_decides_nothing() -> None:
    cap = tripped()
    cap.observe("iris", 50, 0, 1.0)
    assert cap.room(1.0, idle=True) == 0
    assert probe(cap, 10.0, 0, PROBES) == 0


def test_two_models_are_both_waited_for() -> None:
    cap = tripped()
    assert cap.observe("digits", 0, 100, 5.0)
    assert cap.room(12.0, idle=True) == 0
    assert cap.room(15.0, idle=True) == PROBES
    cap.took(PROBES)
    cap.observe("iris", 8, 0, 15.0)
    cap.observe("digits", 0, 8, 15.0)
    assert cap.room(15.0, idle=True) == 0
    assert list(cap.holds) == ["digits"]


def test_other_versions_are_tried_at_once() -> None:
    cap = tripped()
    cap.reset()
    assert cap.room(0.0, idle=False) is None
    assert cap.reason is None
    assert not cap.observe("iris", 0, 99, 0.0)


def test_replies_that_go_nowhere_are_told_apart() -> None:
    cap = FailureCap(RATIO)
    assert cap.observe("", 0, 100, 0.0)
    assert cap.reason == "100 of the last 100 requests found no way to the reply topic"


def test_only_what_the_model_does_counts_among_errors() -> None:
    own = {code for code in ErrorCode if is_own(code)}
    assert own == {ErrorCode.MODEL_FAILED, ErrorCode.BAD_OUTPUT, ErrorCode.UNAVAILABLE}


@pytest.mark.parametrize(
    ("code", "asked", "counts"),
    [
        (ErrorCode.REPLY_FORBIDDEN, None, 1),  # Kafka lets nobody write to the service's own topic
        (ErrorCode.REPLY_UNKNOWN, None, 1),
        (ErrorCode.REPLY_FORBIDDEN, "elsewhere", 0),
        (ErrorCode.REPLY_UNKNOWN, "elsewhere", 0),
        (ErrorCode.UNREADABLE, None, 0),
        (ErrorCode.BAD_REQUEST, None, 0),
    ],
)
def test_a_dead_letter_counts_if_its_sender_did_not_name_the_topic(
    code: ErrorCode, asked: str | None, counts: int
) -> None:
    envelope = Envelope()
    envelope.reply_topic = asked
    record = ConsumerRecord("requests", 5, 9, -7, 0, None, b"v", None, -1, 1, ())
    request = PendingRequest(PartitionProgress(TopicPartition("requests", 5), 0), record, envelope, None)
    request.fail(RequestError(code, "why"))
    assert count_unanswerable([request]) == counts
