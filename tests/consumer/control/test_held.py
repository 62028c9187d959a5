"""Held requests: whatever comes and goes, each queue keeps its order, and what is counted is what is there."""

from typing import Any

from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.control.held import HeldRequests
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.spans import Span
from penstock.schemas.control.resources import Scope
from penstock.schemas.envelope import Envelope

SCOPES = tuple(Scope("tenant", name) for name in "abc")
MOST = 20_000


def span_of(progress: PartitionProgress, first: int, count: int, tenant: str, size: int = 0) -> Span:
    records: list[Any] = [
        ConsumerRecord("requests", 0, at, 0, 0, None, b"x" * size, None, -1, -1, ())
        for at in range(first, first + count)
    ]
    envelope = Envelope()
    envelope.tenant = tenant
    return Span(progress, envelope, records, "id", [b"%d" % record.offset for record in records])


Steps = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), st.sampled_from("abc"), st.integers(1, 12), st.sampled_from([0, 100, 3000])),
        st.tuples(st.just("let go"), st.integers(1, 12)),
        st.tuples(st.just("sort")),
        st.tuples(st.just("revoke")),
    ),
    max_size=60,
)


@given(Steps)
def test_each_queue_keeps_its_order_and_the_counts_are_right(steps: list[tuple[Any, ...]]) -> None:
    held, progress, offset = HeldRequests(MOST), PartitionProgress(TopicPartition("requests", 0), 0), 0
    waiting: dict[str, list[int]] = {name: [] for name in "abc"}
    for step in steps:
        if step[0] == "hold":
            _, name, count, size = step
            kept = held.hold(Scope("tenant", name), span_of(progress, offset, count, name, size), now=0.0)
            waiting[name] += range(offset, offset + kept)
            offset += count
        elif step[0] == "let go" and held:
            scope, head = held.heads()[0]
            gone = held.let_go(scope, min(step[1], len(head)))
            expected, waiting[scope.name] = (
                waiting[scope.name][: len(gone.records)],
                waiting[scope.name][len(gone.records) :],
            )
            assert [record.offset for record in gone.records] == expected
            assert gone.echoes == [b"%d" % at for at in expected]
        elif step[0] == "sort":
            held.sort(lambda span: Scope("tenant", span.envelope.tenant or ""))
        elif step[0] == "revoke":
            progress.closed = True
            assert held.drop_closed() is any(waiting.values())
            progress = PartitionProgress(TopicPartition("requests", 0), 0)
            waiting = {name: [] for name in "abc"}
        assert held.records == len(held) == sum(map(len, waiting.values()))
        assert {scope.name for scope, _ in held.heads()} == {name for name, offsets in waiting.items() if offsets}
        assert (held.bytes == 0) == (held.records == 0)
        assert 0 <= held.bytes <= MOST


def test_what_has_gone_does_not_stay_in_memory() -> None:
    held, progress = HeldRequests(10**9), PartitionProgress(TopicPartition("requests", 0), 0)
    held.hold(SCOPES[0], span_of(progress, 0, 1000, "a"), now=0.0)
    left = 1000
    while held:
        held.let_go(SCOPES[0], 7)
        left = held.records
        assert sum(len(each.span.records) for each in held) <= 2 * left
