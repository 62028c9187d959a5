"""A tenant sends twice what a throttle lets it, over two workers; another one sends beside it."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks.studies.control_answers import Answers, first_at_rate_s, rate_between, rates
from benchmarks.studies.control_generator import Stream
from benchmarks.studies.control_load import Load
from benchmarks.studies.control_scene import Order, applied, ordered
from benchmarks.studies.flow import Flow, longest_wait_s, percentiles_ms
from penstock.producer.control.control import Control

SCOPE: Final = "tenant:acme"
ON_ONE: Final = 0  # the partition, where all is on one
ELSEWHERE: Final = 1  # a partition of the same worker
STEP_S: Final = 0.5  # of the rates that are drawn
_KEYS: Final = 1000
_OTHERS_PER_S: Final = 100
_AFTER_S: Final = 4.0  # the throttle was taken away
_SETTLE_S: Final = 2.0  # a second's worth may come at once, and shares follow what comes
_LAST_S: Final = 1.0  # before a throttle is taken away: what comes then may wait behind what had waited
_FULL: Final = 0.95  # of the rate that is sent counts as full


@dataclass(frozen=True, slots=True)
class Valve:
    """How a throttle is tried.

    Attributes:
        rows_per_s: the throttle.
        free_s, held_s: how long before it is set, and with it.
    """

    rows_per_s: float
    free_s: float
    held_s: float


async def throttled(load: Load, control: Control, valve: Valve, *, on_one: bool) -> dict[str, Any]:
    """Play it with the keys of both tenants over all partitions or on one, and return the figures."""
    partition = ON_ONE if on_one else None
    acme = Stream(2 * valve.rows_per_s, _KEYS, "acme", partition)
    other = Stream(_OTHERS_PER_S, _KEYS, "other", partition)
    alone = await load.run(valve.free_s, other)
    figures: dict[str, Any] = {"alone_p99_ms": percentiles_ms(alone.flow, 99)[0]}
    if on_one:  # as much work for the same worker, but not in the way
        elsewhere = await _valve_turned(load, control, valve, replace(acme, partition=ELSEWHERE), other)
        figures["elsewhere_p99_ms"] = figures_of(*elsewhere, acme.per_second)["beside_p99_ms"]
    answers, limited, freed = await _valve_turned(load, control, valve, acme, other)
    start, end = limited.asked - valve.free_s, freed.asked + _AFTER_S
    return {
        **figures,
        **figures_of(answers, limited, freed, acme.per_second),
        "asked_per_s": acme.per_second + other.per_second,
        "on_one": on_one,
        "rows_per_s": valve.rows_per_s,
        "held_for_s": valve.held_s,
        "rates": rates(answers.of_stream(0).came, start, end, STEP_S),
        "limited_at_s": valve.free_s,
        "freed_at_s": freed.asked - start,
    }


async def _valve_turned(load: Load, control: Control, valve: Valve, *streams: Stream) -> tuple[Answers, Order, Order]:
    """Send, set the throttle, take it away again, and return the answers and the two orders."""
    await load.begin(*streams)
    await asyncio.sleep(valve.free_s)
    limited = applied(await ordered(control, control.throttle(SCOPE, valve.rows_per_s)))
    await asyncio.sleep(_SETTLE_S + valve.held_s)
    freed = applied(await ordered(control, control.unthrottle(SCOPE)))
    await asyncio.sleep(_AFTER_S)
    return await load.end(), limited, freed


def figures_of(answers: Answers, limited: Order, freed: Order, sent_per_s: float) -> dict[str, Any]:
    """Return what the throttle has done to the two tenants."""
    acme, other = answers.of_stream(0), answers.of_stream(1)
    start, end = limited.acked + _SETTLE_S, freed.asked
    at_the_end = other.between(end - _LAST_S, freed.acked + _LAST_S)
    return {
        **answers.counts(),
        "held_per_s": rate_between(acme.came, start, end),
        "full_again_s": first_at_rate_s(acme.came, freed.asked, _FULL * sent_per_s, STEP_S),
        "acked_s": [limited.acked - limited.asked, freed.acked - freed.asked],
        "beside_p99_ms": _p99(other, start, end - _LAST_S),
        "freed_wait_ms": longest_wait_s(at_the_end) * 1000,
        "unthrottled_p99_ms": _p99(other, float("-inf"), limited.asked),
    }


def _p99(flow: Flow, start: float, end: float) -> float:
    return percentiles_ms(flow.between(start, end), 99)[0]
