"""Throttling: which requests go, which wait and in what order, and which are refused; by a clock that the test sets."""

import random
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition

from penstock.consumer.control.throttling import Refused, Throttling
from penstock.consumer.progress import PartitionProgress
from penstock.consumer.spans import Span, SpanReader
from penstock.core.metrics import Metrics
from penstock.schemas.control.resources import GLOBAL, Scope, parse_scope
from penstock.schemas.control.specs import Throttle
from penstock.schemas.control.status import Demand, WorkerStatus
from penstock.schemas.errors import ErrorCode
from penstock.schemas.limits import Limits

A, B = Scope("tenant", "a"), Scope("tenant", "b")
IRIS = Scope("model", "iris")


class Alone:
    """The only worker, with 8 partitions."""

    own = all = 8
    waiting = 0

    def lag(self, topic: str | None = None) -> int:
        return self.waiting


class Bench:
    """A throttling, the clock it goes by, and a partition with requests of tenants."""

    def __init__(self, max_bytes: int = 1_000_000, **throttles: Any) -> None:
        self.now = 1000.0
        self.reach = Alone()
        self.metrics = Metrics()
        self.throttling = Throttling(
            self.reach, lambda: "iris", max_bytes=max_bytes, metrics=self.metrics, clock=lambda: self.now
        )
        self.progress = PartitionProgress(TopicPartition("requests", 0), 0)
        self._reader = SpanReader(Limits())
        self._offset = 0
        self.apply(**throttles)

    def apply(self, **throttles: Throttle) -> None:
        self.throttling.apply({parse_scope(name.replace("_", ":")): spec for name, spec in throttles.items()})

    def records(self, tenants: str, *headers: tuple[str, bytes], value: bytes = b"") -> list[Span]:
        made: list[Any] = []
        for tenant in tenants:
            named = (("penstock-tenant", tenant.encode()), *headers)
            made.append(ConsumerRecord("requests", 0, self._offset, 0, 0, None, value, None, -1, -1, named))
            self._offset += 1
        return self._reader.read(self.progress, made)

    def come(self, tenants: str, *headers: tuple[str, bytes], value: bytes = b"") -> tuple[str, list[Refused]]:
        """Let requests of tenants come; return those that go on, and what is refused."""
        go, refused = self.throttling.admit(self.records(tenants, *headers, value=value))
        return said(go), refused

    def after(self, seconds: float, most: int = 1000) -> str:
        """Return who is let go after some time."""
        self.now += seconds
        return said(self.throttling.release(most))


def said(spans: list[Span]) -> str:
    return "".join((span.envelope.tenant or "-") * len(span.records) for span in spans)


def delay(rate: float, burst: float | None = None) -> Throttle:
    return Throttle(rows_per_s=rate, burst=burst)


def reject(rate: float, burst: float | None = None) -> Throttle:
    return Throttle(rows_per_s=rate, burst=burst, on_excess="reject")


def test_who_is_not_throttled_goes_past_who_waits() -> None:
    bench = Bench(tenant_a=delay(10, 2))
    assert bench.come("aabaabaa") == ("aabb", [])
    assert bench.throttling.held.records == 4
    assert bench.throttling.next_due() == pytest.approx(1000.1)
    assert bench.after(0.05) == ""
    assert bench.after(0.05) == "a"
    assert bench.after(0.2) == "aa"


def test_whoever_comes_later_waits_behind_even_when_rows_are_there() -> None:
    bench = Bench(tenant_a=delay(10, 1))
    bench.come("aa")
    bench.now += 5
    assert bench.come("a") == ("", [])
    offsets = [record.offset for span in bench.throttling.release(10) for record in span.records]
    assert offsets == [1], "a burst of one"


def test_what_is_released_is_in_the_order_it_came() -> None:
    bench = Bench(tenant_a=delay(100, 1))
    bench.come("a" * 50 + "b" + "a" * 50)
    offsets: list[int] = []
    for _ in range(200):
        bench.now += 0.01
        offsets += [record.offset for span in bench.throttling.release(10) for record in span.records]
    assert offsets == [*range(5, 50), *range(51, 101)], "the first five gather while nobody looks"


def test_over_a_rejecting_rate_is_refused_and_told_when_to_come_back() -> None:
    bench = Bench(tenant_a=reject(10, 2))
    go, refused = bench.come("aaab")
    assert go == "aab"
    ((span, error),) = refused
    assert said([span]) == "a"
    assert error.code is ErrorCode.THROTTLED
    assert error.retry_after_s == pytest.approx(0.1)
    assert "tenant:a; try again in 0.1 s" in str(error)


def test_a_rate_of_zero_stops_the_scope() -> None:
    bench = Bench(tenant_a=delay(0), tenant_b=reject(0))
    go, refused = bench.come("aabb")
    assert go == ""
    assert said([each.span for each in refused]) == "bb"
    assert refused[0].error.retry_after_s is None
    assert bench.after(1e6) == ""
    assert bench.throttling.next_due() == float("inf")


def test_a_request_needs_rows_of_all_its_throttles_and_takes_from_all_or_none() -> None:
    bench = Bench(tenant_a=delay(100, 100), model_iris=reject(10, 3))
    go, refused = bench.come("aaaaa")
    assert go == "aaa"
    assert said([each.span for each in refused]) == "aa"
    bench = Bench(tenant_a=delay(10, 1), model_iris=reject(10, 3))
    assert bench.come("aaa") == ("a", [])
    assert bench.come("bbb")[0] == "bb", "those that wait have taken nothing of the model"


def test_rows_beyond_the_first_are_paid_for_afterwards() -> None:
    bench = Bench(tenant_a=delay(10, 10))
    (span,) = bench.records("a")
    go, _ = bench.throttling.admit([span])
    bench.throttling.charge(go[0], 30)
    assert bench.come("a") == ("", [])
    assert bench.after(1.9) == ""
    assert bench.after(0.3) == "a"


def test_queues_under_one_rate_take_turns() -> None:
    bench = Bench(tenant_a=delay(1e6), tenant_b=delay(1e6), model_iris=delay(100, 1))
    bench.come("a" * 400 + "b" * 400)
    gone = "".join(bench.after(0.02) for _ in range(100))
    assert abs(gone.count("a") - gone.count("b")) <= 10


def test_one_flood_does_not_take_all_the_room() -> None:
    bench = Bench(max_bytes=100 * 1024, tenant_a=delay(1, 1), tenant_b=delay(1, 1))
    _, refused = bench.come("a" * 1000, value=b"x" * 512)
    assert sum(len(each.span.records) for each in refused) == 949
    assert bench.throttling.held.bytes <= 51 * 1024
    _, refused = bench.come("b" * 10, value=b"x" * 512)
    assert not refused
    assert bench.throttling.held.records == 50 + 9


def test_gaps_in_what_is_committed_stay_few_enough_for_a_commit() -> None:
    bench = Bench(10_000_000, tenant_a=delay(1, 0))
    dice = random.Random(7)
    spans = bench.records("".join(dice.choice("ab") for _ in range(10_000)))
    bench.progress.admit([record for span in spans for record in span.records])
    go, refused = bench.throttling.admit(spans)
    assert bench.throttling.held.records > 2000
    assert sum(len(each.span.records) for each in refused) > 0
    for span in [*go, *(each.span for each in refused)]:
        for record in span.records:
            bench.progress.finish(record.offset, record.offset + 1)
    assert not bench.progress.too_scattered


def test_a_flood_without_gaps_is_bounded_by_bytes_alone() -> None:
    bench = Bench(max_bytes=10_000_000, tenant_a=delay(1, 0))
    for _ in range(1000):
        bench.come("a", ("penstock-timeout-ms", b"1000"))
        bench.come("a")
    assert bench.throttling.held.records == 1999


def test_who_has_waited_too_long_is_let_go_to_be_answered_expired() -> None:
    bench = Bench(tenant_a=delay(0))
    assert bench.come("aa", ("penstock-timeout-ms", b"2000")) == ("", [])
    assert bench.throttling.next_due() == pytest.approx(1002.0)
    assert bench.after(1.0) == ""
    assert bench.after(1.1) == "aa"
    assert not bench.throttling.held


def test_removal_lets_everything_go() -> None:
    bench = Bench(tenant_a=delay(0), tenant_b=delay(0))
    bench.come("a" * 100 + "b" * 100)
    bench.apply(tenant_b=delay(0))
    assert bench.after(0.0) == "a" * 100
    bench.apply()
    assert bench.throttling.active, "some wait still"
    assert bench.after(0.0) == "b" * 100
    assert not bench.throttling.active


def test_another_throttle_does_not_change_the_order_of_what_waits() -> None:
    bench = Bench(model_iris=delay(0))
    bench.come("abab")
    bench.apply(model_iris=delay(0), tenant_a=delay(0))
    bench.come("abab")
    bench.apply()
    spans = bench.throttling.release(100)
    assert [record.offset for span in spans for record in span.records] == list(range(8))


def test_what_is_released_under_a_throttle_is_no_more_than_there_is_room_for() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("a" * 500)
    bench.apply(tenant_a=delay(1e6))
    bench.now += 1
    assert len(bench.after(0.0, most=40)) == 40
    assert bench.throttling.held.records == 460


def test_whoever_comes_with_the_removal_does_not_overtake_who_waited() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("aaa")
    bench.apply(tenant_b=delay(0))
    bench.come("ab")
    spans = bench.throttling.release(100)
    assert [record.offset for span in spans for record in span.records] == [0, 1, 2, 3]


def test_others_get_past_a_long_queue_that_is_let_out() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("a" * 500)
    bench.apply()
    assert bench.come("ab") == ("b", [])
    assert bench.after(0.0, most=300) == "a" * 300
    assert bench.come("ba") == ("b", [])
    assert bench.after(0.0, most=300) == "a" * 202
    assert bench.come("a") == ("", []), "the last of the queue may have gone a moment ago"
    assert bench.after(0.0) == "a"
    assert not bench.throttling.active


def test_a_queue_that_is_let_out_and_has_no_more_room_goes_at_once() -> None:
    bench = Bench(max_bytes=20 * 1024, tenant_a=delay(0))
    bench.come("a" * 15)
    bench.apply()
    go, refused = bench.throttling.admit(bench.records("a" * 60))
    assert [record.offset for span in go for record in span.records] == list(range(75))
    assert not refused
    assert not bench.throttling.held


def test_a_throttle_that_comes_back_finds_its_queue_in_order() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("aaa")
    bench.apply()
    bench.come("aa")
    bench.apply(tenant_a=delay(0))
    bench.come("a")
    assert bench.after(1.0) == ""
    bench.apply()
    spans = bench.throttling.release(100)
    assert [record.offset for span in spans for record in span.records] == list(range(6))


def test_who_stands_behind_one_that_waits_for_ever_expires_too() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("a")
    bench.come("aa", ("penstock-timeout-ms", b"2000"))
    bench.come("a")
    assert bench.after(1.0) == ""
    bench.now += 1.4
    spans = bench.throttling.release(100)
    assert [record.offset for span in spans for record in span.records] == [1, 2]
    assert bench.throttling.held.records == 2
    assert bench.throttling.demand()["tenant:a"].waiting == 2


def test_who_waited_is_not_refused_when_the_throttle_begins_to_refuse() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("aaa")
    bench.apply(tenant_a=reject(0.0))
    go, refused = bench.come("a")
    assert go == ""
    assert len(refused) == 1
    assert bench.after(0.0) == "aaa"


def test_requests_of_a_partition_that_has_gone_are_forgotten() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("aaa")
    gone, bench.progress = bench.progress, PartitionProgress(TopicPartition("requests", 0), 0)
    gone.closed = True
    bench.come("aa")
    assert bench.after(0.0) == ""
    assert bench.throttling.held.records == 2
    assert bench.throttling.demand()["tenant:a"].waiting == 2
    bench.apply()
    assert bench.after(0.0) == "aa"


def test_a_whole_service_and_a_lane_are_held_back_in_kafka() -> None:
    bench = Bench(1_000_000, **{"global": delay(10, 5)})
    (gate,) = bench.throttling.gates_of(None)
    assert gate.room(bench.now) == 5
    assert bench.come("abcde") == ("abcde", [])
    assert gate.room(bench.now) == 0
    assert gate.bucket.next_due(bench.now) == pytest.approx(1000.1)
    assert bench.throttling.gates_of("requests") == []
    assert bench.come("a") == ("a", []), "what was fetched already goes; it is paid for later"


def test_what_a_gate_keeps_in_kafka_asks_too() -> None:
    bench = Bench(1_000_000, **{"global": delay(10, 5)})
    bench.reach.waiting = 5000
    bench.now += 1
    assert bench.throttling.demand()["global"] == Demand(rows_per_s=0.0, granted_per_s=10.0, waiting=0)
    bench.come("aaaaa")
    bench.throttling.gates_of(None)[0].room(bench.now)
    bench.now += 1
    assert bench.throttling.demand()["global"].rows_per_s > 5000


def test_headers_that_are_wrong_are_no_throttles_business() -> None:
    bench = Bench(tenant_a=reject(0))
    go, refused = bench.come("a", ("penstock-timeout-ms", b"soon"))
    assert (go, refused) == ("a", [])


def status(worker: str, partitions: int, **demand: float) -> WorkerStatus:
    told = {f"tenant:{name}": Demand(rows_per_s=rows, granted_per_s=0.0) for name, rows in demand.items()}
    return WorkerStatus(
        worker=worker, started=0, time=0, interval_s=1.0, state="running", epoch=0, digest="", partitions=partitions,
        demand=told,
    )  # fmt: skip


def test_a_share_follows_what_the_others_report() -> None:
    bench = Bench(tenant_a=delay(100))

    def granted() -> float:
        return bench.throttling.demand()["tenant:a"].granted_per_s

    assert granted() == pytest.approx(100)
    bench.reach.all = 16
    bench.throttling.apply({A: delay(100)})
    assert granted() == pytest.approx(50), "somebody has the other partitions, and says nothing"
    bench.now += 1
    bench.throttling.learn([status("other", 8, a=1000.0)])
    assert granted() < 10, "nothing comes here"
    bench.throttling.learn([status("other", 8, a=0.0)])
    assert granted() >= 50
    bench.throttling.learn([status("other", 8)])
    assert granted() == pytest.approx(50), "the other has not read the command yet"


def test_a_changed_throttle_keeps_what_waits_and_goes_on_at_the_new_rate() -> None:
    bench = Bench(tenant_a=delay(0))
    bench.come("a" * 50)
    bench.apply(tenant_a=delay(100, 1))
    assert len(bench.after(0.1)) == 5, "no more than gathers while nobody looks"
    assert len("".join(bench.after(0.02) for _ in range(10))) == pytest.approx(20, abs=2)


def test_metrics_tell_how_many_wait_and_how_many_were_over() -> None:
    bench = Bench(tenant_a=delay(1, 1), tenant_b=reject(1, 1))
    bench.come("aaabbb")
    bench.after(0.0)
    value = bench.metrics.registry.get_sample_value
    assert value("penstock_delayed_requests") == 2
    assert value("penstock_throttled_total", {"scope": "tenant", "outcome": "delayed"}) == 2
    assert value("penstock_throttled_total", {"scope": "tenant", "outcome": "refused"}) == 2


def test_the_whole_service_may_refuse_too() -> None:
    bench = Bench(1_000_000, **{"global": reject(10, 3)})
    go, refused = bench.come("abcde")
    assert (go, said([each.span for each in refused])) == ("abc", "de")
    assert bench.throttling.gates_of(None) == []
    assert str(GLOBAL) in str(refused[0].error)
