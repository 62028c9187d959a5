"""What must hold when all is over: sets and columns in, findings out. Pure.

After Kafka's own transactions test (tests/kafkatest/tests/core/transactions_test.py): what was asked, and what
three kinds of reader saw.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from tests.chaos.models import STEP
from tests.chaos.records import Log, Outcomes, Whole
from tests.chaos.requests import Layout, Outcome

Delivery = Literal["at-least-once", "exactly-once"]
Place = tuple[bool, int, int]
# Requests that belong to no model, or that a throttle refuses, may be answered early: docs/DESIGN.md, "Order".
OUT_OF_ORDER: Final = frozenset({"UNKNOWN_MODEL", "BAD_NAME", "UNSUPPORTED", "AMBIGUOUS_HEADER", "THROTTLED"})
_SHIFT: Final = 2**44  # of a partition, above its offsets, so that a place is one number
_EXAMPLES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known at the end.

    Attributes:
        delivery: how often a request may have been answered.
        layout: how numbers became requests.
        acknowledged: numbers of the requests that Kafka said it had taken.
        log: the request topic.
        committed: outcomes that a read_committed reader finds at the end.
        live: where a read_committed reader found outcomes while all went on.
        uncommitted: where a read_uncommitted reader finds records at the end.
        offsets: what the group has committed: partition -> offset and metadata.
        ends: of the request topic, by partition.
        hidden: records behind an open transaction, by topic and partition.
        excused: requests that may be without an outcome, because the fault itself took it away.
        ordered: whether the order of keys is looked at.
    """

    delivery: Delivery
    layout: Layout
    acknowledged: Iterable[int]
    log: Log
    committed: Outcomes
    live: set[Place]
    uncommitted: set[Place]
    offsets: Mapping[int, tuple[int, str]]
    ends: Mapping[int, int]
    hidden: Mapping[str, int] = field(default_factory=dict)
    excused: frozenset[int] = frozenset()
    ordered: bool = True


def examine(evidence: Evidence) -> list[str]:
    """Return what is wrong, one sentence for each sort of fault; nothing where all is well."""
    checks: tuple[Callable[[Evidence], list[str]], ...] = (
        _requests, _lost, _strangers, _kinds, _doubles, _wrong, _disorder, _readers, _offsets,
    )  # fmt: skip
    return [finding for check in checks for finding in check(evidence)]


def doubles(evidence: Evidence) -> int:
    """Return how many outcomes are one too many."""
    outcomes = evidence.committed
    return len(outcomes) - len(np.unique(_source_ids(outcomes)))


def aborted(evidence: Evidence) -> int:
    """Return how many attempts no committed reader may see."""
    if evidence.delivery == "at-least-once":
        return 0
    return len(evidence.uncommitted - evidence.committed.places)


def _said(what: str, which: Sequence[object] | Whole) -> list[str]:
    """Return a finding where there is something to find."""
    examples = ", ".join(str(each) for each in which[:_EXAMPLES])
    return [f"{len(which):,} {what}: {examples}"] if len(which) else []


def _ids(partition: Whole, offset: Whole) -> Whole:
    return np.asarray(partition * _SHIFT + offset, dtype=np.int64)


def _source_ids(outcomes: Outcomes) -> Whole:
    return _ids(outcomes.source_partition, outcomes.source_offset)


def _requests(evidence: Evidence) -> list[str]:
    """What Kafka took must be in its log. It may be there twice, where a client was in doubt: that is two requests."""
    gone = np.setdiff1d(np.fromiter(evidence.acknowledged, dtype=np.int64), evidence.log.number)
    return _said("acknowledged requests are not in Kafka's log", [n for n in gone if n not in evidence.excused])


def _lost(evidence: Evidence) -> list[str]:
    log = evidence.log
    missing = ~np.isin(_ids(log.partition, log.offset), _source_ids(evidence.committed))
    missing &= ~np.isin(log.number, list(evidence.excused))
    places = zip(log.number[missing], log.partition[missing], log.offset[missing], strict=True)
    return _said("requests have no outcome", [f"{n} at {p}/{o}" for n, p, o in places])


def _strangers(evidence: Evidence) -> list[str]:
    """Each outcome must name a request that was made, and be of its number and key."""
    log, outcomes = evidence.log, evidence.committed
    order = np.argsort(_ids(log.partition, log.offset))
    asked, sources = _ids(log.partition, log.offset)[order], _source_ids(outcomes)
    at = np.searchsorted(asked, sources)
    known = (at < len(asked)) & (asked[np.minimum(at, len(asked) - 1)] == sources) if len(asked) else sources < -1
    found = _said("outcomes name a request that was never made", sources[~known])
    number = log.number[order][at[known]]
    return (
        found
        + _said("outcomes carry the id of another request", number[number != outcomes.number[known]])
        + _said("outcomes have another key", number[outcomes.key[known] != number % evidence.layout.keys])
    )


def _kinds(evidence: Evidence) -> list[str]:
    """Reply, error reply and dead letter divide the requests among them, as each request deserves."""
    outcomes = evidence.committed
    pairs = np.unique(np.stack([outcomes.number, outcomes.kind]), axis=1)
    numbers, counts = np.unique(pairs[0], return_counts=True)
    found = _said("requests ended in two ways", numbers[counts > 1])
    wanted = np.array([evidence.layout.outcome_of(int(number)) for number in pairs[0]], dtype=np.int64)
    unlike = (wanted != Outcome.ANY) & (wanted != pairs[1])
    codes = dict(zip(outcomes.number.tolist(), outcomes.code, strict=True))
    said = [f"{n}: {Outcome(k).name} {codes[int(n)]} for {Outcome(w).name}" for n, k, w in
            zip(pairs[0][unlike], pairs[1][unlike], wanted[unlike], strict=True)]  # fmt: skip
    return found + _said("requests ended in another way than they should", said)


def _doubles(evidence: Evidence) -> list[str]:
    """Under at-least-once they share their source, which `_strangers` has checked; under exactly-once are none."""
    if evidence.delivery == "at-least-once":
        return []
    ids, counts = np.unique(_source_ids(evidence.committed), return_counts=True)
    places = [f"{each // _SHIFT}/{each % _SHIFT}" for each in ids[counts > 1]]
    return _said("requests have more than one committed outcome", places)


def _wrong(evidence: Evidence) -> list[str]:
    """The value proves which request it answers, and by which version."""
    outcomes = evidence.committed
    replies = outcomes.kind == Outcome.REPLY
    right = outcomes.y == outcomes.number + outcomes.version * STEP
    return _said("answers hold another value than theirs", outcomes.number[replies & ~right])


def _disorder(evidence: Evidence) -> list[str]:
    """First answers of a key must come in the order of its requests."""
    if not evidence.ordered:
        return []
    outcomes = evidence.committed
    found: list[str] = []
    answered: set[int] = set()
    last: dict[int, int] = {}
    for number, kind, code in zip(outcomes.number.tolist(), outcomes.kind.tolist(), outcomes.code, strict=True):
        if kind == Outcome.DEAD or code in OUT_OF_ORDER or number in answered:
            continue
        answered.add(number)
        key, sequence = evidence.layout.key_of(number), evidence.layout.sequence_of(number)
        if sequence < last.get(key, -1):
            found.append(f"key {key}: {sequence} after {last[key]}")
        last[key] = max(sequence, last.get(key, -1))
    return _said("first answers are out of their key's order", found)


def _readers(evidence: Evidence) -> list[str]:
    """What was committed once stays, and everything committed is there for who reads all."""
    committed = evidence.committed.places
    return (
        _said("outcomes were read as committed and are not at the end", sorted(evidence.live - committed))
        + _said("outcomes were never seen by the reader that read on", sorted(committed - evidence.live))
        + _said("committed outcomes are hidden from an uncommitted reader", sorted(committed - evidence.uncommitted))
        + [f"{count:,} records of {place} lie behind an open transaction" for place, count in evidence.hidden.items()]
    )


def _offsets(evidence: Evidence) -> list[str]:
    """The group has committed the end of every partition, with nothing left to say beyond it."""
    off = []
    for partition, end in evidence.ends.items():
        offset, metadata = evidence.offsets.get(partition, (-1, ""))
        if (offset, metadata) != (end, "") and (end > 0 or offset > 0):
            off.append(f"{partition} at {offset} {metadata!r} of {end}")
    return _said("partitions are not committed to their end", off)
