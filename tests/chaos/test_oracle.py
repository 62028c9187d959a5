"""The oracle: a clean run has no findings, and every sort of fault has its own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.models import STEP
from tests.chaos.oracle import Evidence, aborted, doubles, examine
from tests.chaos.records import Log, Outcomes, Seen
from tests.chaos.requests import Layout, Outcome

LAYOUT = Layout(partitions=2, keys=4)
COUNT = 40


def log(count: int = COUNT, layout: Layout = LAYOUT) -> Log:
    ends = [0] * layout.partitions
    rows = []
    for number in range(count):
        partition = layout.partition_of(number)
        rows.append((number, partition, ends[partition]))
        ends[partition] += 1
    return Log.of(rows)


def answers(asked: Log) -> list[Seen]:
    """One right answer to each request, at the place of the request."""
    places = zip(asked.number.tolist(), asked.partition.tolist(), asked.offset.tolist(), strict=True)
    return [
        Seen(Outcome.REPLY, (p, o), n, (p, o), n % LAYOUT.keys, 1, n + STEP, "", 0) for n, p, o in places
    ]  # fmt: skip


def evidence(seen: list[Seen] | None = None, **more: Any) -> Evidence:
    asked = log()
    outcomes = Outcomes.of(answers(asked) if seen is None else seen)
    ends = {p: int((asked.partition == p).sum()) for p in range(LAYOUT.partitions)}
    whole = Evidence(
        delivery="exactly-once",
        layout=LAYOUT,
        acknowledged=range(COUNT),
        log=asked,
        committed=outcomes,
        live=outcomes.places,
        uncommitted=outcomes.places,
        offsets={partition: (end, "") for partition, end in ends.items()},
        ends=ends,
    )
    return replace(whole, **more)


def changed(change: Callable[[list[Seen]], object]) -> list[Seen]:
    seen = answers(log())
    change(seen)
    return seen


def again(seen: list[Seen], at: int, **other: Any) -> Seen:
    """The answer at a place once more, at the end of its partition."""
    here = seen[at]._replace(place=(seen[at].place[0], 1000))
    return here._replace(**other)


def test_a_clean_run_has_no_findings() -> None:
    assert examine(evidence()) == []
    assert (doubles(evidence()), aborted(evidence())) == (0, 0)


def test_a_double_of_equal_source_is_a_fault_under_exactly_once_alone() -> None:
    seen = changed(lambda seen: seen.append(again(seen, 3)))
    assert examine(evidence(seen, delivery="at-least-once")) == []
    assert doubles(evidence(seen)) == 1
    assert ["more than one committed" in finding for finding in examine(evidence(seen))] == [True]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda seen: seen.pop(7), "1 requests have no outcome: 7 at 1/3"),
        (lambda seen: seen.append(again(seen, 3, source=(0, 999))), "never made"),
        (lambda seen: seen.append(again(seen, 3, source=(9, 1))), "never made"),
        (lambda seen: seen.append(again(seen, 3, number=4, y=4 + STEP)), "id of another request"),
        (lambda seen: seen.append(again(seen, 3, kind=Outcome.ERROR, y=float("nan"))), "ended in two ways"),
        (lambda seen: seen.append(again(seen, 3, kind=Outcome.DEAD, y=float("nan"))), "ended in two ways"),
        (lambda seen: seen.__setitem__(3, seen[3]._replace(y=4 + STEP)), "another value"),
        (lambda seen: seen.__setitem__(3, seen[3]._replace(version=2)), "another value"),
        (lambda seen: seen.__setitem__(3, seen[3]._replace(y=float("nan"))), "another value"),
        (lambda seen: seen.__setitem__(3, seen[3]._replace(key=1)), "another key"),
        (
            lambda seen: seen.__setitem__(3, seen[3]._replace(kind=Outcome.ERROR, code="MODEL_FAILED", version=0)),
            "3: ERROR MODEL_FAILED for REPLY",
        ),
        # Requests 0 and 4 are of one key.
        (
            lambda seen: seen.__setitem__(slice(None), [
                each._replace(place=(0, {0: 2, 2: 0}.get(each.place[1], each.place[1]))) if each.place[0] == 0 else each
                for each in seen
            ]),
            "out of their key's order: key 0: 0 after 1",
        ),
    ],
)  # fmt: skip
def test_each_fault_of_an_outcome_is_found(change: Callable[[list[Seen]], object], said: str) -> None:
    findings = examine(evidence(changed(change), delivery="at-least-once"))
    assert any(said in finding for finding in findings), findings


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"offsets": {0: (20, ""), 1: (19, "")}}, "1 at 19 '' of 20"),
        ({"offsets": {0: (20, "")}}, "1 at -1 '' of 20"),
        ({"offsets": {0: (20, ""), 1: (20, "1:AgI")}}, "1 at 20 '1:AgI' of 20"),
        ({"hidden": {"replies/1": 3}}, "3 records of replies/1 lie behind an open transaction"),
        ({"acknowledged": range(COUNT + 1)}, "1 acknowledged requests are not in Kafka's log: 40"),
        ({"live": {(False, 0, 999)}}, "read as committed and are not at the end"),
        ({"live": set()}, "never seen by the reader"),
        ({"uncommitted": set()}, "hidden from an uncommitted reader"),
    ],
)
def test_each_fault_around_the_outcomes_is_found(more: dict[str, Any], said: str) -> None:
    findings = examine(evidence(**more))
    assert any(said in finding for finding in findings), findings


def test_a_request_that_is_in_the_log_twice_needs_two_outcomes() -> None:
    asked = log()
    twice = Log(
        *(
            np.append(column, value)
            for column, value in zip((asked.number, asked.partition, asked.offset), (5, 1, 20), strict=True)
        )
    )
    assert examine(evidence(log=twice)) == ["1 requests have no outcome: 5 at 1/20"]
    both = changed(lambda seen: seen.append(again(seen, 5, source=(1, 20))))
    assert examine(evidence(both, log=twice)) == []


def test_attempts_that_only_an_uncommitted_reader_sees_are_counted() -> None:
    whole = evidence()
    assert aborted(replace(whole, uncommitted=whole.uncommitted | {(False, 0, 500), (False, 1, 500)})) == 2


def test_what_the_fault_itself_took_away_is_excused() -> None:
    seen = changed(lambda seen: seen.pop(7))
    assert examine(evidence(seen, excused=frozenset({7}))) == []


@given(st.sets(st.integers(0, COUNT - 1)))
def test_whatever_is_dropped_is_told_exactly(dropped: set[int]) -> None:
    findings = examine(evidence([each for each in answers(log()) if each.number not in dropped]))
    assert [finding.partition(":")[0] for finding in findings] == (
        [f"{len(dropped)} requests have no outcome"] if dropped else []
    )


@given(st.integers(0, 10**7), st.floats(0.0, 1.0))
def test_what_is_bad_and_what_is_special_ends_as_its_request_says(number: int, bad: float) -> None:
    layout = Layout(bad=bad)
    request, outcome = layout.request(number), layout.outcome_of(number)
    assert request.partition == layout.key_of(number) % layout.partitions
    assert layout.is_bad(number) or outcome == Outcome.REPLY
    assert dict(request.headers)["penstock-id"] == b"%d" % number
